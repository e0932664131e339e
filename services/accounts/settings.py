"""Settings of accounts: the common ones, and those of tokens."""

import re
from collections.abc import Mapping
from typing import Annotated, ClassVar, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator
from pydantic_settings import NoDecode

from services import settings
from services.accounts.cardholders.rules import PEOPLE, PersonRole
from services.registry import NAMES
from shared.rights import roles_of_account
from shared.settings import SPLIT, Keys, Secret, table_of, variables
from shared.token_form import LONGEST_TOKEN_SECONDS

# A key stays published as long as a token that it signed may be valid: days, not years.
_WEEK = LONGEST_TOKEN_SECONDS // 3600
SESSION_HOURS: Mapping[str, int] = {"patron": 1, "staff": 8, "station": 24}
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_SERVICE_HOURS = 1
"""Lifetime of the token of a service. No session can be ended for it, and renewing it is cheap."""


LastingKeys = Annotated[Keys, Secret(lasting=True, was_card_key=True)]
OnceCardKeys = Annotated[Keys, Secret(was_card_key=True)]


class Settings(settings.CardSettings):
    """Settings of accounts."""

    required: ClassVar[tuple[str, ...]] = (
        *settings.CardSettings.required,
        "service_keys",
        "reset_keys",
        "device_keys",
        "renewal_keys",
        "calendar_keys",
        "unsubscribe_keys",
        "recovery_keys",
    )

    service_keys: Annotated[Mapping[str, tuple[str, ...]], NoDecode] = Field(default_factory=dict)
    former_service_secret: str = Field(default="", repr=False)
    access_token_seconds: int = Field(default=600, ge=1, le=_WEEK * 3600)
    session_hours: Annotated[
        Mapping[str, Annotated[int, Field(ge=1, le=_WEEK)]], NoDecode, table_of(SESSION_HOURS)
    ] = SESSION_HOURS

    second_factor_roles: Annotated[tuple[PersonRole, ...], NoDecode, SPLIT] = ()
    signing_secrets: Keys = Field(default="", repr=False)
    reset_keys: OnceCardKeys = Field(default="", repr=False)
    device_keys: OnceCardKeys = Field(default="", repr=False)
    renewal_keys: OnceCardKeys = Field(default="", repr=False)
    calendar_keys: LastingKeys = Field(default="", repr=False)
    unsubscribe_keys: LastingKeys = Field(default="", repr=False)
    recovery_keys: LastingKeys = Field(default="", repr=False)
    wrong_pins_per_network: int = Field(default=60, ge=0)
    wrong_pins_of_strangers: int = Field(default=5000, ge=0)
    adult_age: int = Field(default=18, ge=1, le=120)
    staff_issuer: str = Field(default="", pattern=r"^(https?://[!-~]+)?$")
    staff_client_id: str = ""
    staff_client_secret: str = Field(default="", repr=False)
    staff_groups: Annotated[tuple[str, ...], NoDecode, SPLIT] = ()
    staff_groups_claim: str = "groups"
    staff_factors: Annotated[tuple[str, ...], NoDecode, SPLIT] = ()

    @field_validator("staff_groups")
    @classmethod
    def _groups_with_roles(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for item in value:
            group, _, role = item.rpartition("=")
            if not group or role not in PEOPLE:
                raise ValueError("each is the name of a group, =, and a role of staff")
        return value

    @model_validator(mode="after")
    def _whole_provider(self) -> Self:
        if not self.staff_issuer:
            return self
        needed = ("staff_client_id", "staff_client_secret", "public_url")
        missing = [name for name in needed if not getattr(self, name)]
        if self.simulation and "public_url" in missing:
            missing.remove("public_url")
        if missing:
            raise ValueError(f"CARREL_STAFF_ISSUER needs {variables(missing)}")
        if not self.is_safe_address(self.staff_issuer):
            raise ValueError("CARREL_STAFF_ISSUER is an address with https")
        return self

    def is_safe_address(self, address: str) -> bool:
        """Return whether an address of the identity provider has https, or is a test's on loopback.

        It has no name or password in it.
        """
        try:
            parts = urlsplit(address)
            _ = parts.port
        except ValueError:
            return False
        tested = self.simulation and parts.scheme == "http" and parts.hostname in _LOOPBACK
        plain = address.isascii() and address.isprintable() and "@" not in parts.netloc
        return bool(parts.hostname) and plain and (parts.scheme == "https" or tested)

    @property
    def roles_of_groups(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """The roles that each group at the identity provider gives."""
        pairs = (item.rpartition("=") for item in self.staff_groups)
        return tuple((group, roles_of_account(role)) for group, _, role in pairs)

    @property
    def provider_callback(self) -> str:
        """The only address to which the identity provider leads back."""
        return f"{self.openid_issuer}/log-in/provider/callback"

    @field_validator("service_keys", mode="before")
    @classmethod
    def _by_service(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        keys: dict[str, tuple[str, ...]] = {}
        for item in filter(None, (item.strip() for item in value.split(","))):
            name, _, key = item.partition("=")
            if name not in NAMES or not re.fullmatch(r"[0-9a-f]{64}", key):
                raise ValueError("each is the name of a service, =, and 64 hexadecimal digits")
            keys[name] = (*keys.get(name, ()), key)
        return keys

    def token_hours(self, role: str) -> int:
        """Return the lifetime of a session of `role`, or of a service's token, in hours."""
        if role == "service":
            return _SERVICE_HOURS
        return self.session_hours[role if role in SESSION_HOURS else "staff"]

    @property
    def openid_issuer(self) -> str:
        """The address that names the library to clients of OpenID Connect."""
        return self.public_url or self.urls_of("gateway")[0]

    @property
    def passkey_origin(self) -> str:
        """The only origin at which passkeys are made and used.

        Browsers have none at an address in digits, so on one machine the host is `localhost`.
        """
        return self.openid_issuer.replace("//127.0.0.1", "//localhost").lower()

    @property
    def longest_token_hours(self) -> int:
        """Lifetime of the longest-lived token, in hours."""
        return max(self.session_hours.values())
