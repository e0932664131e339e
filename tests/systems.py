"""Start a whole system for tests, with a data folder of its own."""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from ops.infrastructure.processes import System, system
from tests.secured import secured_system

PROJECT = Path(__file__).resolve().parent.parent
SECURED = "apache-secured"
SECURED_CLUSTER = "apache-secured-3"
Environment = Mapping[str, Mapping[str, str]]


def disk_root() -> Path:
    """Return the folder in the project for test data that must be on a disk."""
    root = PROJECT / ".data"
    root.mkdir(exist_ok=True)
    return root


@contextmanager
def data_folder(factory: pytest.TempPathFactory, *, on_disk: bool = False) -> Iterator[Path]:
    """Yield a folder for the data of a system; remove it afterwards unless the block raised.

    Tests of disks and of durability set `on_disk`; other data may be in memory.
    """
    folder = (
        Path(tempfile.mkdtemp(prefix="system-", dir=disk_root()))
        if on_disk
        else factory.mktemp("system")
    )
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def system_in(
    folder: Path, *, broker: str = "embedded", simulation: bool = True, **options: Any
) -> AbstractContextManager[System]:
    """Start a system on free ports with its data in a folder; options are those of `system`.

    The broker SECURED stands for Apache Kafka and MongoDB with TLS, users and rights, and
    SECURED_CLUSTER for the same with three nodes of Kafka.
    """
    options |= {"simulation": simulation, "usual_ports": False}
    if broker in (SECURED, SECURED_CLUSTER):
        return secured_system(folder, kafka_nodes=3 if broker == SECURED_CLUSTER else 1, **options)
    return system(folder, broker=broker, **options)


@contextmanager
def started_system(
    factory: pytest.TempPathFactory,
    *,
    on_disk: bool = False,
    environment: Environment | Callable[[Path], Environment] | None = None,
    broker: str = "embedded",
    **options: Any,
) -> Iterator[System]:
    """Start a system in a folder of its own; `options` are those of `system_in`.

    `environment` may be a function of the system's folder, such as `kills.armable`.
    """
    with data_folder(factory, on_disk=on_disk) as folder:
        own = environment(folder) if callable(environment) else environment
        with system_in(folder, broker=broker, environment=own, **options) as started:
            yield started
