"""Settings of the gateway: those of every service, and the limits of its edge."""

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import AwareDatetime, Field, NonNegativeInt, model_validator
from pydantic_settings import NoDecode

from services import settings
from shared.settings import SPLIT, table_of

LIMITS: Mapping[str, int] = {
    "caller": 1200,
    "desk": 3000,
    "address": 1200,
    "search": 240,
    "announce": 30,
    "log-in": 60,
    "ask": 5,
    "visit": 60,
}
"""Requests per minute, 0 for no limit: of one patron, of one account of staff or of a machine, and
of one address for callers without a token. Apart from these: searches; commands of one librarian
about notices and questions; and of one address log-ins, questions of guests, and visitors, of whom
a turnstile lets 20 to 30 through in a minute."""


class Settings(settings.Settings):
    """Settings of the gateway."""

    limits: Annotated[Mapping[str, NonNegativeInt], NoDecode, table_of(LIMITS)] = LIMITS
    busy_requests: int = Field(default=200, ge=0)
    security_contact: str = Field(default="", pattern=r"^((mailto:|tel:|https://)[!-~]+)?$")
    security_expires: AwareDatetime | None = None
    cors_origins: Annotated[tuple[str, ...], NoDecode, SPLIT] = ()
    hsts_seconds: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _whole_contact(self) -> Self:
        if bool(self.security_contact) != bool(self.security_expires):
            raise ValueError("CARREL_SECURITY_CONTACT and CARREL_SECURITY_EXPIRES need each other")
        return self
