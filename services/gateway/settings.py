"""Settings of the gateway: those of every service, and the limits of its edge."""

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import AwareDatetime, Field, NonNegativeInt, field_validator, model_validator
from pydantic_settings import NoDecode

from services import settings
from shared.settings import table_of

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

    limits: Annotated[Mapping[str, NonNegativeInt], NoDecode, table_of(LIMITS)] = Field(
        default=LIMITS, description="Requests per minute by kind, as in `ask=10,search=0`."
    )
    busy_requests: int = Field(
        default=200,
        ge=0,
        description="Requests in progress from which on a replica answers 503, or fewer while it "
        "answers late; strangers get it from half of them on, patrons from four fifths; "
        "0: no limit.",
    )
    security_contact: str = Field(
        default="",
        pattern=r"^((mailto:|tel:|https://)[!-~]+)?$",
        description="Where to report a weakness, for /.well-known/security.txt; empty: none.",
    )
    security_expires: AwareDatetime | None = Field(
        default=None, description="Time from which on that contact may be out of date."
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Origins whose pages may call the API from a browser, comma-separated.",
    )
    hsts_seconds: int = Field(
        default=0,
        ge=0,
        description="Seconds for which browsers must use only TLS; 0: the header is not sent.",
    )

    @model_validator(mode="after")
    def _whole_contact(self) -> Self:
        if bool(self.security_contact) != bool(self.security_expires):
            raise ValueError("CARREL_SECURITY_CONTACT and CARREL_SECURITY_EXPIRES need each other")
        return self

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split_origins(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(origin.strip() for origin in value.split(",") if origin.strip())
        return value
