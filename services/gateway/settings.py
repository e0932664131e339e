"""Settings of the gateway: those of every service, and the limits of its edge."""

from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from services import settings


class Settings(settings.Settings):
    """Settings of the gateway. Limits are requests per minute, 0 for no limit."""

    caller_per_minute: int = Field(
        default=1200,
        ge=0,
        description="Requests per minute of one caller with a token; 0: no limit.",
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
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Origins whose pages may call the API from a browser, comma-separated.",
    )
    hsts_seconds: int = Field(
        default=0,
        ge=0,
        description="Seconds for which browsers must use only TLS; 0: the header is not sent.",
    )

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split_origins(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(origin.strip() for origin in value.split(",") if origin.strip())
        return value
