"""Settings of the gateway: those of every service, and the limits of its edge."""

from typing import Annotated, Self

from pydantic import AwareDatetime, Field, field_validator, model_validator
from pydantic_settings import NoDecode

from services import settings


class Settings(settings.Settings):
    """Settings of the gateway. Limits are requests per minute, 0 for no limit."""

    caller_per_minute: int = Field(
        default=1200,
        ge=0,
        description="Requests per minute of one patron; 0: no limit.",
    )
    desk_per_minute: int = Field(
        default=3000,
        ge=0,
        description="Requests per minute of one account of staff or of a machine; 0: no limit.",
    )
    announce_per_minute: int = Field(
        default=30,
        ge=0,
        description="Commands about notices and questions of patrons per minute of one "
        "librarian; 0: no limit.",
    )
    search_per_minute: int = Field(
        default=240,
        ge=0,
        description="Searches per minute of one caller or, without a token, of one address. Other "
        "requests do not count; 0: no limit.",
    )
    busy_requests: int = Field(
        default=200,
        ge=0,
        description="Requests in progress from which on a replica answers 503, or fewer while it "
        "answers late; strangers get it from half of them on, patrons from four fifths; "
        "0: no limit.",
    )
    address_per_minute: int = Field(
        default=1200,
        ge=0,
        description="Requests per minute of one address, by callers without a token; 0: no limit.",
    )
    login_per_minute: int = Field(
        default=60, ge=0, description="Log-in attempts per minute from one address; 0: no limit."
    )
    ask_per_minute: int = Field(
        default=5,
        ge=0,
        description="Questions per minute of guests from one address; 0: no limit.",
    )
    visit_per_minute: int = Field(
        default=60,
        ge=0,
        description="Visitors a minute who register by themselves from one network; 0: no limit. "
        "A turnstile lets 20 to 30 people through in a minute.",
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
