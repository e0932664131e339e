"""The system that an operator's command works on: one rule for all commands.

1. `--data DIR` names the system that `carrel up` runs in DIR, and overrides the variables.
2. Else CARREL_MONGO_URL or CARREL_KAFKA names it, with the other variables.
3. Else it is the system that `carrel up` runs in its default folder.

A command never falls back to another system: if nothing runs in the folder, it refuses.
"""

import fcntl
import json
import logging
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, TypeVar, overload
from urllib.parse import urlsplit

import typer

from ops.console import errors, refuse
from ops.environment import load
from ops.infrastructure.processes import ENVIRONMENT_FILE
from services.settings import Settings
from shared.settings import FOLDER

DEFAULT_DATA = Path(".data/up")
DATABASE_VARIABLES = ("CARREL_MONGO_URL", "CARREL_MONGO_URL_FILE")
TARGET_VARIABLES = (*DATABASE_VARIABLES, "CARREL_KAFKA", "CARREL_KAFKA_FILE")

S = TypeVar("S", bound=Settings)
Data = Annotated[
    Path | None,
    typer.Option(
        "--data",
        help="Folder of a running `carrel up`, to use its system and ignore CARREL_… variables.",
    ),
]


@overload
def settings_of(data: Path | None) -> Settings: ...
@overload
def settings_of(data: Path | None, kind: type[S]) -> S: ...
def settings_of(data: Path | None, kind: type[Settings] = Settings) -> Settings:
    """Return the settings of the chosen system, for a command that reads."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # commands print failures themselves
    if data is not None or not _any_given(TARGET_VARIABLES):
        _take_environment(data or DEFAULT_DATA, asked_for=data is not None)
    return load(kind)


@overload
def settings_to_write(data: Path | None) -> Settings: ...
@overload
def settings_to_write(data: Path | None, kind: type[S]) -> S: ...
def settings_to_write(data: Path | None, kind: type[Settings] = Settings) -> Settings:
    """Return the settings of the chosen system, for a command that writes, and print the system."""
    settings = settings_of(data, kind)
    errors.print(f"Writing to {described(settings)}.", markup=False)
    return settings


def settings_if_named(data: Path | None) -> Settings | None:
    """Return the settings of the chosen system; None if neither a folder nor a database names one.

    For commands that need no system, and write to its databases if there is one.
    """
    if data is None and not _any_given(DATABASE_VARIABLES):
        only_a_broker = _any_given(TARGET_VARIABLES)
        if only_a_broker or _environment_of(DEFAULT_DATA) is None:
            return None
    return settings_of(data)


def described(settings: Settings) -> str:
    """Describe the addresses of a system's databases and broker, without user and password."""
    hosts = urlsplit(settings.mongo_url).netloc.rpartition("@")[2]
    named = f", topics {settings.topic_prefix}*" if settings.topic_prefix else ""
    return f"databases {settings.database_prefix}_* at {hosts}, Kafka at {settings.kafka}{named}"


def _any_given(names: Iterable[str]) -> bool:
    """Return whether the environment or the folder of files with settings has one of these."""
    folder = os.environ.get(FOLDER)
    return any(name in os.environ or (folder and Path(folder, name).exists()) for name in names)


def _take_environment(data: Path, *, asked_for: bool) -> None:
    """Replace this process's CARREL_… variables with those of a running `carrel up`."""
    environment = _environment_of(data)
    if environment is not None:
        for name in [name for name in os.environ if name.startswith("CARREL_")]:
            del os.environ[name]
        os.environ.update(environment)
    elif asked_for:
        refuse(f"No system runs in {data}. Start it: carrel up --data {data}")
    else:
        refuse(
            "Which system? Set CARREL_MONGO_URL and CARREL_KAFKA as its services have them, or "
            f"give --data with the folder of a running `carrel up` (none runs in {data})."
        )


def _environment_of(data: Path) -> dict[str, str] | None:
    """Return the settings of the services of a running `carrel up`; None if none runs there.

    `carrel up` holds a lock on the file while it runs. A file without a lock was left by a crash,
    and another system may have its ports by now.
    """
    try:
        with (data / ENVIRONMENT_FILE).open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                environment: dict[str, str] = json.load(file)
                return environment
    except (FileNotFoundError, NotADirectoryError):
        pass
    return None
