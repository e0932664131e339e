"""The settings of every process: those of the chassis, and the addresses of the services."""

from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import Field, ValidationInfo, field_validator

from services.registry import CALLERS, ISSUER, SERVICES
from shared import settings

MOST_ATTACHMENT_BYTES = 12 * 1024 * 1024
"""Greatest limit that the size of an attachment may have: a gateway holds some of them at once."""


class Settings(settings.Settings):
    """Settings of every process; a service adds its own in a subclass."""

    public_url: str = Field(default="", pattern=r"^(https?://[^\s/?#]+)?/?$")

    @field_validator("public_url")
    @classmethod
    def _without_slash(cls, value: str) -> str:
        return value.rstrip("/")

    issuer: ClassVar[settings.TokenIssuer] = ISSUER
    callers: ClassVar[Mapping[str, Mapping[str, frozenset[str]]]] = CALLERS

    attachment_bytes: int = Field(default=5 * 1024 * 1024, ge=1024, le=MOST_ATTACHMENT_BYTES)

    @field_validator("urls")
    @classmethod
    def _usual_addresses(cls, urls: Mapping[str, str], info: ValidationInfo) -> Mapping[str, str]:
        """Add the usual address of each service that has no other."""
        scheme = "https" if info.data.get("tls_ca_file") else "http"
        return {service.name: service.url(scheme) for service in SERVICES} | dict(urls)


class CardSettings(Settings):
    """Settings of the services that recognise cards, and of no other."""

    required: ClassVar[tuple[str, ...]] = (*Settings.required, "card_key")

    card_key: Annotated[str, settings.Secret(lasting=True, renewed=True)] = Field(
        default="", repr=False
    )
