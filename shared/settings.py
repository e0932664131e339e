"""Settings from the environment: `CARREL_…`, checked once, at start."""

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from shared.settings_files import BadFile, open_files, values_in_files

PREFIX = "CARREL_"
Role = Literal["api", "consumers", "relay", "jobs"]
ROLES: tuple[Role, ...] = ("api", "consumers", "relay", "jobs")


@dataclass(frozen=True)
class TokenIssuer:
    """The service that signs tokens, with its routes for keys, service tokens and people."""

    service: str
    keys: str
    sessions: str
    log_in: str


class Settings(BaseSettings):
    """The settings that the chassis needs; the system adds its own in a subclass."""

    issuer: ClassVar[TokenIssuer] = TokenIssuer("", "", "", "")
    required: ClassVar[tuple[str, ...]] = ("service_secret", "service_key", "card_key")
    """Settings without which a service does not start."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    mongo_url: str = "mongodb://127.0.0.1:27017/?replicaSet=rs0"
    kafka: str = Field(default="127.0.0.1:9092", description="Bootstrap servers, comma-separated.")
    topic_prefix: str = Field(
        default="", description="Prefix of the names of topics and consumer groups on Kafka."
    )
    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    operations_port: int = Field(
        default=9080,
        ge=0,
        le=65535,
        description="Port of the metrics and of the details of health, for operators alone.",
    )
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
        default="",
        description="Secret shared by the services, from which keys for forms, links and stored "
        "data are derived. It makes nobody a service.",
    )
    service_key: str = Field(
        default="",
        pattern=r"^([0-9a-f]{64})?$",
        repr=False,
        description="Private Ed25519 key of this service alone, with which it logs in at the "
        "issuer of tokens.",
    )
    card_key: str = Field(
        default="", description="Key of the digest that stands for a card number."
    )
    urls: Mapping[str, str] = Field(
        default_factory=dict,
        validate_default=True,
        description="Address of each service by name; in the environment CARREL_<SERVICE>_URL.",
    )
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
    audit_days: int = Field(
        default=400, ge=1, le=36_500, description="Days for which the audit trail is kept."
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
        """Return the base address of a service, without a trailing slash."""
        return self.urls[service].rstrip("/")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Return the settings of another process; its variables go before those of this one."""
        own = {
            name.removeprefix(PREFIX).lower(): value
            for name, value in environment.items()
            if name.startswith(PREFIX)
        }
        files = values_in_files(PREFIX, cls.model_fields, environment)
        return cls.model_validate({**own, **files, **_urls_in(environment)})

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return the usual sources with files before them, since a variable may be empty."""
        values = values_in_files(PREFIX, settings_cls.model_fields, os.environ)
        files = InitSettingsSource(settings_cls, values)
        urls = InitSettingsSource(settings_cls, _urls_in(os.environ))
        return init_settings, files, env_settings, dotenv_settings, file_secret_settings, urls


def _urls_in(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the setting `urls`, from each variable CARREL_<SERVICE>_URL."""
    named = {
        name.removeprefix(PREFIX).lower().removesuffix("_url"): value
        for name, value in environment.items()
        if name.startswith(PREFIX) and name.endswith("_URL")
    }
    others = Settings.model_fields  # such as mongo_url
    return {"urls": {name: url for name, url in named.items() if f"{name}_url" not in others}}


S = TypeVar("S", bound=Settings)


def load_to_serve(kind: type[S]) -> S:
    """Return the settings of a service; without its secrets the process ends with one error."""
    settings = load(kind)
    missing = [name for name in kind.required if not getattr(settings, name)]
    if missing:
        names = ", ".join(f"{PREFIX}{name.upper()}" for name in missing)
        sys.exit(f"A service does not start without its secrets. Set {names} and start again.")
    return settings


def readable_by_everyone(kind: type[Settings]) -> list[str]:
    """Return the variables whose files everybody on the machine may read."""
    return list(open_files(PREFIX, kind.model_fields, os.environ))


def load(kind: type[S]) -> S:
    """Return the settings of the environment; a bad value ends the process with one clear error."""
    try:
        return kind()
    except BadFile as error:
        sys.exit(f"Settings are wrong; correct these and start again:\n  {error}")
    except ValidationError as error:
        faults = [
            f"CARREL_{'_'.join(str(part) for part in fault['loc'][:1]).upper()}: {fault['msg']}"
            for fault in error.errors(include_input=False, include_url=False)
        ]
        sys.exit("Settings are wrong; correct these and start again:\n  " + "\n  ".join(faults))
