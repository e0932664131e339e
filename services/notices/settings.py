"""Settings of notices: the common ones, the mail server, and the keys of visitors' data."""

from datetime import datetime, timedelta
from email.headerregistry import Address
from email.utils import parseaddr
from typing import Annotated, Literal, cast

from pydantic import Field, ValidationInfo, field_validator

from services import settings
from shared.settings import Keys, Secret
from shared.unit_of_work import Run

__all__ = ["Settings", "settings_of"]


class Settings(settings.Settings):
    """Settings of notices. Without a mail server, notifications reach only the inbox."""

    smtp_host: str = ""
    smtp_port: int = Field(default=587, ge=1, le=65535)
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    smtp_ca_file: str = ""
    smtp_username: str = ""
    smtp_password: str = Field(default="", repr=False)
    mail_from: str = Field(default="", validate_default=True)
    visit_keys: Keys = Field(default="", repr=False)

    webhook_keys: Annotated[Keys, Secret(lasting=True)] = Field(default="", repr=False)
    vapid_private_key: Annotated[str, Secret(kind="device-key")] = Field(
        default="", repr=False, pattern=r"^([A-Za-z0-9_-]{43}=?)?$"
    )
    vapid_subject: str = Field(default="", pattern=r"^((mailto:|https://).+)?$")
    quiet_hours: str = Field(
        default="", pattern=r"^(([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d)?$"
    )

    letter_font: str = "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc#4"

    digest_at: str = Field(default="17:00", pattern=r"^([01]\d|2[0-3]):[0-5]\d$")

    @field_validator("mail_from")
    @classmethod
    def _is_an_address(cls, value: str, info: ValidationInfo) -> str:
        if info.data.get("smtp_host") and "@" not in parseaddr(value)[1]:
            raise ValueError("an address is needed while CARREL_SMTP_HOST is set")
        return value

    @field_validator("smtp_host")
    @classmethod
    def _has_safe_links(cls, value: str, info: ValidationInfo) -> str:
        url = info.data.get("public_url", "")
        if value and not url.startswith(("https://", "http://127.0.0.1")):
            raise ValueError("CARREL_PUBLIC_URL has to begin with https:// for links in e-mails")
        return value

    @property
    def operator_address(self) -> str:
        """Address at which push services reach the operator; empty: there is none."""
        return self.vapid_subject or (self.public_url if "https://" in self.public_url else "")

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

    def next_digest(self, after: datetime) -> datetime:
        """Return the first time after an instant at which the e-mails of a day are sent."""
        hour, minute = map(int, self.digest_at.split(":"))
        local = after.astimezone(self.zone)
        due = local.replace(hour=hour, minute=minute, second=0, microsecond=0)
        return due if due > local else due + timedelta(days=1)

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels by which notifications are sent."""
        return ("inbox", "email") if self.smtp_host else ("inbox",)


def settings_of(run: Run) -> Settings:
    """Return the settings of a run as those of notices."""
    return cast(Settings, run.settings)
