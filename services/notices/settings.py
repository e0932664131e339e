"""Settings of the notices service: the common ones, and the mail server."""

from datetime import datetime
from email.headerregistry import Address
from email.utils import parseaddr
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from services import settings

__all__ = ["Settings"]


class Settings(settings.Settings):
    """Settings of notices. Without a mail server, notifications reach only the inbox."""

    smtp_host: str = Field(default="", description="Mail server; empty: no e-mail is sent.")
    smtp_port: int = Field(default=587, ge=1, le=65535)
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        default="starttls",
        description="`tls` from the first byte, usually at port 465; `none` only on one machine.",
    )
    smtp_ca_file: str = Field(
        default="", description="Certificates that are trusted instead of the system's."
    )
    smtp_username: str = ""
    smtp_password: str = Field(default="", repr=False)
    mail_from: str = Field(
        default="",
        validate_default=True,
        description="Sender, as in `City Library <library@example.org>`.",
    )
    site: str = Field(
        default="",
        validate_default=True,
        description="Address of the page for links in e-mails, such as https://…",
    )

    quiet_hours: str = Field(
        default="",
        pattern=r"^(([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d)?$",
        description="Hours of the library's day in which no e-mail is sent, as in `21:00-08:00`.",
    )

    @field_validator("mail_from")
    @classmethod
    def _is_an_address(cls, value: str, info: ValidationInfo) -> str:
        if info.data.get("smtp_host") and "@" not in parseaddr(value)[1]:
            raise ValueError("an address is needed while CARREL_SMTP_HOST is set")
        return value

    @field_validator("site")
    @classmethod
    def _is_safe(cls, value: str, info: ValidationInfo) -> str:
        if info.data.get("smtp_host") and not value.startswith(("https://", "http://127.0.0.1")):
            raise ValueError("an address with https:// is needed while CARREL_SMTP_HOST is set")
        return value.rstrip("/")

    @property
    def sender(self) -> Address:
        """The sender of e-mails."""
        name, address = parseaddr(self.mail_from)
        return Address(name, addr_spec=address)

    def is_quiet(self, at: datetime) -> bool:
        """Return whether an instant is in the quiet hours, which may go past midnight."""
        if not self.quiet_hours:
            return False
        begin, end = self.quiet_hours.split("-")
        now = at.astimezone(self.zone).strftime("%H:%M")
        return begin <= now < end if begin <= end else now >= begin or now < end

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels by which notifications are sent."""
        return ("inbox", "email") if self.smtp_host else ("inbox",)
