"""Settings from the environment, checked once, at start; docs/configure.md says what each does."""

import os
import re
import ssl
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
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
from shared.tls import ServerCertificate, client_context

PREFIX = "CARREL_"
FILE = "_FILE"
"""End of a variable with the path of a file that has the setting, as orchestrators mount secrets.

A variable of the environment is seen by everybody who may look at a process or its container; a
file has an owner.
"""
FOLDER = "CARREL_SECRETS_FOLDER"
"""Variable with a folder whose files are settings, each by the name of its variable."""
MOST_BYTES = 64 * 1024
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


@dataclass(frozen=True)
class Secret:
    """Marks a setting whose value `carrel init` makes; the last mark of a setting counts."""

    kind: Literal["text", "service-key", "device-key"] = "text"
    """Form of the value: any text, the private key of a service, or that of push messages."""
    of_each: bool = False
    """True: each service has a value of its own. False: those that have the setting share it."""
    lasting: bool = False
    """True: stored data is of no use without it, so a process with another one does not start."""
    renewed: bool = False
    """True: a command makes stored data anew with another one."""
    was_card_key: bool = False
    """True: in earlier releases the card key had its purpose."""


def secrets_of(kind: type["Settings"]) -> dict[str, Secret]:
    """Return the settings of a class whose values `carrel init` makes."""
    marks = {
        name: [one for one in field.metadata if isinstance(one, Secret)]
        for name, field in kind.model_fields.items()
    }
    return {name: each[-1] for name, each in marks.items() if each}


def _long_enough(keys: str) -> str:
    if any(len(one) < LEAST for one in each_of(keys)):
        raise ValueError(f"each key has at least {LEAST} characters")
    return keys


Keys = Annotated[str, AfterValidator(_long_enough), Secret()]
"""A setting with keys of one purpose, as in `shared.keys`; empty: there are none."""


def _split(value: object) -> object:
    if isinstance(value, str):
        return tuple(item.strip() for item in value.split(",") if item.strip())
    return value


SPLIT = BeforeValidator(_split)
"""Makes a setting a list of values that are separated by commas."""


def table_of(usual: Mapping[str, int]) -> BeforeValidator:
    """Return a validator of a setting such as `caller=600,ask=0`; other kinds are as usual."""

    def read(value: object) -> object:
        if isinstance(value, str):
            parts = (item.partition("=") for item in value.split(",") if item.strip())
            value = {kind.strip(): number for kind, _, number in parts}
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

    mongo_url: str = Field(default="mongodb://127.0.0.1:27017/?replicaSet=rs0", repr=False)
    kafka: str = "127.0.0.1:9092"
    kafka_security: Literal["none", "tls", "scram"] = "none"
    kafka_ca_file: str = ""
    kafka_certificate_file: str = ""
    kafka_key_file: str = ""
    kafka_username: str = ""
    kafka_password: SecretStr = SecretStr("")
    topic_prefix: str = ""
    tls_ca_file: str = ""
    tls_certificate_file: str = ""
    tls_key_file: str = ""
    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    operations_port: int = Field(default=9080, ge=0, le=65535)
    drain_seconds: float = Field(default=3.0, ge=0, le=60)
    roles: Annotated[tuple[Role, ...], NoDecode, SPLIT] = ROLES
    replica: str = Field(default="0", pattern=r"^[A-Za-z0-9-]{1,40}$")
    database_prefix: str = Field(default="carrel", pattern=r"^[A-Za-z0-9_-]{1,40}$")
    simulation: bool = False
    time_zone: str = "Asia/Hong_Kong"
    date_years: int = Field(default=100, ge=10, le=1000)
    service_secret: Annotated[str, Secret()] = Field(default="", repr=False)
    service_key: Annotated[str, Secret(kind="service-key", of_each=True)] = Field(
        default="", pattern=r"^([0-9a-f]{64})?$", repr=False
    )
    audit_keys: Annotated[Keys, Secret(of_each=True, lasting=True, was_card_key=True)] = Field(
        default="", repr=False
    )
    urls: Mapping[str, str] = Field(default_factory=dict, validate_default=True)
    trusted_proxies: str = ""
    partitions: int = Field(default=12, ge=1)
    replication: int = Field(default=1, ge=1, le=7)
    retention_days: int = Field(default=30, ge=1, le=36_500)
    idle_poll_ms: int = Field(default=0, ge=0, le=1000)
    outbox_days: int = Field(default=7, ge=1)
    audit_days: int = Field(default=400, ge=1, le=36_500)
    log_level: Literal["debug", "info", "warning", "error"] = "info"

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

    @model_validator(mode="after")
    def _whole_tls(self) -> Self:
        """Refuse settings of TLS that would not take effect, and files that can't be used.

        The authority alone is enough for commands, which call services and are not called.
        """
        names = {"tls_ca_file", "tls_certificate_file", "tls_key_file"}
        missing = {name for name in names if not getattr(self, name)}
        if missing not in (set(), names, names - {"tls_ca_file"}):
            raise ValueError(f"TLS between services needs {variables(missing)} too")
        if self.tls_ca_file and (plain := [url for url in self.urls.values() if "http:" in url]):
            raise ValueError(f"CARREL_TLS_CA_FILE needs addresses with https, not {plain[0]}")
        try:
            self.tls_client()
            self.tls_server()
        except OSError as error:
            raise ValueError(
                "a certificate or key of CARREL_TLS_…_FILE can't be read or used "
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

    def tls_client(self) -> ssl.SSLContext | bool:
        """Return how to check the certificates of services; True: as those of any other server."""
        return client_context(self.tls_ca_file, "", "") if self.tls_ca_file else True

    def tls_server(self) -> ServerCertificate | None:
        """Return the certificate of this process; None: it speaks without TLS. Raises OSError."""
        if not self.tls_certificate_file:
            return None
        return ServerCertificate(self.tls_certificate_file, self.tls_key_file)

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
        files = values_in_files(cls.model_fields, environment)
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
        values = values_in_files(settings_cls.model_fields, os.environ)
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


class BadFile(Exception):
    """The file of a setting can't be used; the text names the variable and never the content."""


def values_in_files(fields: Collection[str], environment: Mapping[str, str]) -> dict[str, str]:
    """Return the settings that are given by a file, without the end of their line.

    Raises BadFile for one that is also given by its variable, and for a file that can't be read.
    """
    found = {}
    for name, variable, path in _given(fields, environment):
        by_value = variable.removesuffix(FILE)
        if environment.get(by_value):
            raise BadFile(f"{by_value} and {variable} are both set. Set one of them.")
        found[name] = _content(variable, path)
    return found


def open_files(fields: Collection[str], environment: Mapping[str, str]) -> Iterator[str]:
    """Yield the variables whose files everybody on the machine may read."""
    for _, variable, path in _given(fields, environment):
        if Path(path).stat().st_mode & stat.S_IROTH:
            yield variable


def without_files(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without the files of settings that it also gives by variables."""
    return {
        name: value
        for name, value in environment.items()
        if not (name.endswith(FILE) and name.removesuffix(FILE) in environment)
    }


def _given(
    fields: Collection[str], environment: Mapping[str, str]
) -> Iterator[tuple[str, str, str]]:
    for name in fields:
        variable = f"{PREFIX}{name.upper()}{FILE}"
        # A setting such as smtp_ca_file is itself the path of a file.
        if environment.get(variable) and f"{name}{FILE.lower()}" not in fields:
            yield name, variable, environment[variable]
        elif (folder := environment.get(FOLDER)) and (
            path := Path(folder) / variable.removesuffix(FILE)
        ).exists():
            yield name, variable, str(path)


def _content(variable: str, path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise BadFile(f"{variable}: {path} has more than {MOST_BYTES} bytes.")
        return content.decode().rstrip("\r\n")
    except OSError as error:
        raise BadFile(f"{variable}: {path} can't be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise BadFile(f"{variable}: {path} is not text in UTF-8.") from None
