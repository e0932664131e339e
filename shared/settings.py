"""Settings from the environment: `CARREL_…`, checked once, at start."""

import os
import re
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from pymongo.errors import PyMongoError
from pymongo.uri_parser import parse_uri

from shared.keys import LEAST, each_of
from shared.settings_files import values_in_files
from shared.tls import client_context

PREFIX = "CARREL_"
Role = Literal["api", "consumers", "relay", "jobs"]
ROLES: tuple[Role, ...] = ("api", "consumers", "relay", "jobs")


@dataclass(frozen=True)
class TokenIssuer:
    """The service that signs tokens, with its routes for keys, service tokens and people.

    `factors` begins the paths of the routes for second factors, which ask for a PIN like `log_in`,
    and `resets` those of the routes for a new PIN, which ask for a code.
    """

    service: str
    keys: str
    sessions: str
    log_in: str
    factors: str
    resets: str

    def asks_for_pin(self, path: str) -> bool:
        """Return True if somebody proves at a path who they are, without a token."""
        return path == self.log_in or path.startswith((self.factors, self.resets))


def _long_enough(keys: str) -> str:
    if any(len(one) < LEAST for one in each_of(keys)):
        raise ValueError(f"each key has at least {LEAST} characters")
    return keys


Keys = Annotated[str, AfterValidator(_long_enough)]
"""A setting with keys of one purpose, as in `shared.keys`; empty: there are none."""


def table_of(usual: Mapping[str, int]) -> BeforeValidator:
    """Return a validator of a setting such as `caller=600,ask=0`; other kinds are as usual."""

    def read(value: object) -> object:
        if isinstance(value, str):
            parts = (item.partition("=") for item in value.split(",") if item.strip())
            value = {kind.strip(): number.strip() for kind, _, number in parts}
        if not isinstance(value, Mapping) or not value.keys() <= usual.keys():
            kinds = ",".join(f"{kind}={number}" for kind, number in usual.items())
            raise ValueError(f"should be one or more of these, with other numbers: {kinds}")
        return {**usual, **value}

    return BeforeValidator(read)


class Settings(BaseSettings):
    """The settings that the chassis needs; the system adds its own in a subclass."""

    issuer: ClassVar[TokenIssuer] = TokenIssuer("", "", "", "", "", "")
    callers: ClassVar[Mapping[str, Mapping[str, frozenset[str]]]] = {}
    """For each service the routes that each other one may use: method and template of a path."""
    required: ClassVar[tuple[str, ...]] = ("service_secret", "service_key", "audit_keys")
    """Settings without which a service does not start."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="ignore", hide_input_in_errors=True
    )

    mongo_url: str = Field(
        default="mongodb://127.0.0.1:27017/?replicaSet=rs0",
        repr=False,
        description="Address of the databases, with user, password and TLS if they need them.",
    )
    kafka: str = Field(default="127.0.0.1:9092", description="Bootstrap servers, comma-separated.")
    kafka_security: Literal["none", "tls", "scram"] = Field(
        default="none",
        description="`tls`, or `scram`: TLS and a user with a password (SCRAM-SHA-512).",
    )
    kafka_ca_file: str = Field(
        default="", description="Authorities that are trusted for Kafka; empty: the system's."
    )
    kafka_certificate_file: str = Field(
        default="", description="Certificate that clients of Kafka show, with its chain."
    )
    kafka_key_file: str = Field(default="", description="Private key of that certificate.")
    kafka_username: str = ""
    kafka_password: SecretStr = SecretStr("")
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
    drain_seconds: float = Field(
        default=3.0,
        ge=0,
        le=60,
        description="Seconds for which a process that is told to stop still accepts requests, "
        "while it says that it is not ready.",
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
        repr=False,
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
    audit_keys: Keys = Field(
        default="",
        repr=False,
        description="Keys of the seals of this service's audit trail, the newest first.",
    )
    urls: Mapping[str, str] = Field(
        default_factory=dict,
        validate_default=True,
        description="Addresses of each service by name, comma-separated; in the environment "
        "CARREL_<SERVICE>_URL.",
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
        "answers them at once; it grows to 25 times that. Use 0 with Apache Kafka, which waits "
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

    @field_validator("mongo_url")
    @classmethod
    def _usable_url(cls, value: str) -> str:
        if value.startswith("mongodb+srv:"):
            return value  # its hosts are in DNS
        try:
            parse_uri(value)
        except OSError:
            raise ValueError("a file that it names can't be read") from None
        except (PyMongoError, ValueError):
            # The driver's own text may have a part of the password.
            raise ValueError(
                "is no address of MongoDB; in a password, : / ? # [ ] @ and % are written as %3A …"
            ) from None
        return value

    @model_validator(mode="after")
    def _whole_kafka_security(self) -> Self:
        """Refuse settings of Kafka that would not take effect, and files that can't be used."""
        files = {"kafka_ca_file", "kafka_certificate_file", "kafka_key_file"}
        user = {"kafka_username", "kafka_password"}
        used = {"none": set[str](), "tls": files, "scram": files | user}[self.kafka_security]
        given = {name for name in files | user if getattr(self, name)}
        if unused := given - used:
            raise ValueError(
                f"CARREL_KAFKA_SECURITY={self.kafka_security} does not use {variables(unused)}"
            )
        if missing := (user & used) - given:
            raise ValueError(
                f"CARREL_KAFKA_SECURITY={self.kafka_security} needs {variables(missing)}"
            )
        if bool(self.kafka_certificate_file) != bool(self.kafka_key_file):
            raise ValueError(
                "CARREL_KAFKA_CERTIFICATE_FILE and CARREL_KAFKA_KEY_FILE need each other"
            )
        if self.kafka_security != "none":
            try:
                self.kafka_tls()
            except OSError as error:
                raise ValueError(
                    "a certificate or key of CARREL_KAFKA_…_FILE can't be read or used "
                    f"({type(error).__name__})"
                ) from None
        return self

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

    def kafka_tls(self) -> ssl.SSLContext:
        """Return the context of TLS for a connection to Kafka."""
        return client_context(self.kafka_ca_file, self.kafka_certificate_file, self.kafka_key_file)

    def urls_of(self, service: str) -> tuple[str, ...]:
        """Return the base addresses of a service's replicas, without a trailing slash."""
        return tuple(url.strip().rstrip("/") for url in self.urls[service].split(","))

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


def variables(names: Iterable[str]) -> str:
    """Return the variables of some settings as a text."""
    return ", ".join(f"{PREFIX}{name.upper()}" for name in sorted(names))
