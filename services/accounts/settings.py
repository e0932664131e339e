"""Settings of accounts: the common ones, and those of tokens."""

import re
from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from services import settings
from services.accounts.cardholders.rules import PersonRole
from services.registry import NAMES
from shared.auth import LONGEST_TOKEN_SECONDS
from shared.settings import Keys, table_of

# A key stays published as long as a token that it signed may be valid: days, not years.
_WEEK = LONGEST_TOKEN_SECONDS // 3600
SESSION_HOURS: Mapping[str, int] = {"patron": 1, "staff": 8, "station": 24}
_SERVICE_HOURS = 1
"""Lifetime of the token of a service. No session can be ended for it, and renewing it is cheap."""


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

    service_keys: Annotated[Mapping[str, tuple[str, ...]], NoDecode] = Field(
        default_factory=dict,
        description="Public keys of the services, such as `events=3f…,notices=9c…`. A service has "
        "several while one replaces another.",
    )
    former_service_secret: str = Field(
        default="",
        repr=False,
        description="For the time of an update from a release in which services logged in with "
        "CARREL_SERVICE_SECRET: that secret. Empty: a service logs in with its own key only.",
    )
    access_token_seconds: int = Field(
        default=600,
        ge=1,
        le=_WEEK * 3600,
        description="Lifetime of an access token in seconds, within that of its session.",
    )
    session_hours: Annotated[
        Mapping[str, Annotated[int, Field(ge=1, le=_WEEK)]], NoDecode, table_of(SESSION_HOURS)
    ] = Field(
        default=SESSION_HOURS,
        description="Lifetime of sessions in hours: of patrons, of staff and operators, and of "
        "stations.",
    )

    second_factor_roles: Annotated[tuple[PersonRole, ...], NoDecode] = Field(
        default=(),
        description="Roles whose accounts can't log in without a second factor, such as "
        "`admin,ops`.",
    )
    signing_secrets: Keys = Field(
        default="",
        repr=False,
        description="Secrets that seal the private half of the key that signs tokens, and the "
        "secrets of second factors, the newest first, separated by commas; empty: they are stored "
        "as they are.",
    )
    reset_keys: Keys = Field(
        default="",
        repr=False,
        description="Keys from which the codes in e-mails are derived, the newest first.",
    )
    device_keys: Keys = Field(
        default="",
        repr=False,
        description="Keys of the tokens of known devices, and of the digests that stand for "
        "networks, the newest first.",
    )
    renewal_keys: Keys = Field(
        default="",
        repr=False,
        description="Keys of the tokens that renew a session, the newest first.",
    )
    calendar_keys: Keys = Field(
        default="",
        repr=False,
        description="Keys of the links to calendar feeds, the newest first.",
    )
    unsubscribe_keys: Keys = Field(
        default="",
        repr=False,
        description="Keys of the links in e-mails with which e-mail is turned off, the newest "
        "first.",
    )
    recovery_keys: Keys = Field(
        default="",
        repr=False,
        description="Keys of the digests of recovery codes, the newest first.",
    )
    wrong_pins_per_network: int = Field(
        default=60,
        ge=0,
        description="Wrong PINs an hour of one IPv4 address or one /48 of IPv6, except on devices "
        "where somebody has logged in before with the same card. As many codes for a new PIN may "
        "be asked for there, and as many wrong ones entered. 0: no limit.",
    )
    wrong_pins_of_strangers: int = Field(
        default=5000,
        ge=0,
        description="Wrong PINs an hour from all networks together, with the same exception; 0: no "
        "limit.",
    )
    adult_age: int = Field(
        default=18,
        ge=1,
        le=120,
        description="Age in years from which a patron of the category `junior` becomes `adult`.",
    )

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

    @field_validator("second_factor_roles", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(role.strip() for role in value.split(",") if role.strip())
        return value

    def token_hours(self, role: str) -> int:
        """Return the lifetime of a session of `role`, or of a service's token, in hours."""
        if role == "service":
            return _SERVICE_HOURS
        return self.session_hours[role if role in SESSION_HOURS else "staff"]

    @property
    def longest_token_hours(self) -> int:
        """Lifetime of the longest-lived token, in hours."""
        return max(self.session_hours.values())
