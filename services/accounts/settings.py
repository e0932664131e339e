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
from shared.settings import SPLIT, Keys, table_of

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

    service_keys: Annotated[Mapping[str, tuple[str, ...]], NoDecode] = Field(default_factory=dict)
    former_service_secret: str = Field(default="", repr=False)
    access_token_seconds: int = Field(default=600, ge=1, le=_WEEK * 3600)
    session_hours: Annotated[
        Mapping[str, Annotated[int, Field(ge=1, le=_WEEK)]], NoDecode, table_of(SESSION_HOURS)
    ] = SESSION_HOURS

    second_factor_roles: Annotated[tuple[PersonRole, ...], NoDecode, SPLIT] = ()
    signing_secrets: Keys = Field(default="", repr=False)
    reset_keys: Keys = Field(default="", repr=False)
    device_keys: Keys = Field(default="", repr=False)
    renewal_keys: Keys = Field(default="", repr=False)
    calendar_keys: Keys = Field(default="", repr=False)
    unsubscribe_keys: Keys = Field(default="", repr=False)
    recovery_keys: Keys = Field(default="", repr=False)
    wrong_pins_per_network: int = Field(default=60, ge=0)
    wrong_pins_of_strangers: int = Field(default=5000, ge=0)
    adult_age: int = Field(default=18, ge=1, le=120)

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
    def longest_token_hours(self) -> int:
        """Lifetime of the longest-lived token, in hours."""
        return max(self.session_hours.values())
