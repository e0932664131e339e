"""Settings of the gateway: those of every service, and what its edge allows."""

from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from shared import settings


class Settings(settings.Settings):
    """Limits are requests a minute, 0 for none."""

    caller_per_minute: int = Field(default=1200, ge=0, description="Of one caller with a token.")
    address_per_minute: int = Field(
        default=1200, ge=0, description="Of one address, by callers without a token."
    )
    login_per_minute: int = Field(default=60, ge=0, description="Attempts to log in, by address.")
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="Whose pages may call the API from a browser, comma-separated."
    )
    hsts_seconds: int = Field(
        default=0, ge=0, description="For how long browsers are to use TLS only; 0: not said."
    )

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split_origins(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(origin.strip() for origin in value.split(",") if origin.strip())
        return value
