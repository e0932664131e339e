"""Settings from the environment: `CARREL_…`, checked once, at start."""

import re
import sys
from typing import Annotated, Literal, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

Role = Literal["api", "consumers", "relay", "jobs"]
ROLES: tuple[Role, ...] = ("api", "consumers", "relay", "jobs")


class Settings(BaseSettings):
    """The settings of every service; a service adds its own in a subclass."""

    model_config = SettingsConfigDict(env_prefix="CARREL_", frozen=True, extra="ignore")

    mongo_url: str = "mongodb://127.0.0.1:27017/?replicaSet=rs0"
    kafka: str = Field(default="127.0.0.1:9092", description="Bootstrap servers, comma-separated.")
    topic_prefix: str = Field(
        default="", description="Prefix of the names of topics and consumer groups on Kafka."
    )
    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    roles: Annotated[tuple[Role, ...], NoDecode] = ROLES
    replica: str = Field(default="0", pattern=r"^[A-Za-z0-9-]{1,40}$")
    database_prefix: str = Field(default="carrel", pattern=r"^[A-Za-z0-9_-]{1,40}$")
    simulation: bool = Field(
        default=False, description="True: the header Carrel-Time sets the time of a call."
    )
    time_zone: str = "Asia/Hong_Kong"
    date_years: int = Field(
        default=100,
        ge=10,
        le=1000,
        description="Number of years before or after today within which an incoming date must lie.",
    )
    service_secret: str = Field(
        default="", description="Secret shared by the services, used to log in at accounts."
    )
    card_key: str = Field(
        default="", description="Key of the digest that stands for a card number."
    )
    accounts_url: str = "http://127.0.0.1:8101"
    circulation_url: str = "http://127.0.0.1:8102"
    events_url: str = "http://127.0.0.1:8103"
    notices_url: str = "http://127.0.0.1:8104"
    gateway_url: str = "http://127.0.0.1:8080"
    trusted_proxies: str = Field(
        default="",
        description="Addresses of the proxies whose X-Forwarded-For is trusted, comma-separated.",
    )
    partitions: int = Field(default=12, ge=1, description="Number of partitions of a new topic.")
    replication: int = Field(default=1, ge=1, le=7, description="Number of copies of a new topic.")
    retention_days: int = Field(
        default=30, ge=1, le=36_500, description="Days for which a new topic keeps its events."
    )
    idle_poll_ms: int = Field(
        default=0,
        ge=0,
        le=1000,
        description="Shortest pause between empty fetches, in milliseconds, for a broker that "
        "answers them at once; it grows to six times that. Use 0 with Apache Kafka, which waits "
        "itself.",
    )
    outbox_days: int = Field(
        default=7, ge=1, description="Days for which published outbox rows are kept."
    )
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("roles", mode="before")
    @classmethod
    def _split_roles(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(role.strip() for role in value.split(",") if role.strip())
        return value

    @field_validator("topic_prefix")
    @classmethod
    def _usable_prefix(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9.-]{0,40}", value):
            raise ValueError("up to 40 letters, digits, dots and dashes")
        return value

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError("no such time zone") from None
        return value

    @property
    def zone(self) -> ZoneInfo:
        """The library's time zone."""
        return ZoneInfo(self.time_zone)

    def url_of(self, service: str) -> str:
        """The base address of a service, without a trailing slash."""
        return str(getattr(self, f"{service}_url")).rstrip("/")


S = TypeVar("S", bound=Settings)


def load(kind: type[S]) -> S:
    """Return the settings of the environment; a bad value ends the process with one clear error."""
    try:
        return kind()
    except ValidationError as error:
        faults = [
            f"CARREL_{'_'.join(str(part) for part in fault['loc'][:1]).upper()}: {fault['msg']}"
            for fault in error.errors(include_input=False, include_url=False)
        ]
        sys.exit("Settings are wrong; correct these and start again:\n  " + "\n  ".join(faults))
