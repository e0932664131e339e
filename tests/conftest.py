"""The infrastructure that tests stand on: real, started once where that is safe, on free ports."""

import os
import secrets
from collections.abc import AsyncIterator, Iterator

import pytest
from pymongo import MongoClient

from ops.embedded import embedded
from ops.processes import System, system
from tests.containers import kafka_container, mongo_container
from tests.faults import report
from tests.faults.kills import armable
from tests.library import Library

BROKER = os.environ.get("CARREL_TEST_KAFKA", "embedded")
"""What the fixtures take for a broker: embedded, or apache (make test-kafka, make test-faults)."""

CONTAINERS = os.environ.get("CARREL_TEST_INFRA") == "containers"
"""Whether stores and brokers of tests come from containers, where an engine and images are."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Shows what came of the faults that this run tried."""
    report.finish(terminalreporter.write_line)


@pytest.fixture(scope="session")
def mongo_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real replica set of one node for the whole run. It takes about 0.8 s to start."""
    if CONTAINERS:
        with mongo_container() as url:
            if url:
                yield url
                return
    folder = tmp_path_factory.mktemp("mongo")
    with embedded(folder, kafka=False, mongo_port=None) as infrastructure:
        yield infrastructure.mongo_url


@pytest.fixture
def database(mongo_url: str) -> Iterator[str]:
    """The name of a database that no other test uses; all whose names begin so are dropped after.

    So it serves as CARREL_DATABASE_PREFIX as well: `name_circulation` goes with it.
    """
    name = f"t{secrets.token_hex(6)}"
    yield name
    client: MongoClient[dict[str, object]] = MongoClient(mongo_url)
    with client:
        for created in client.list_database_names():
            if created.startswith(name):
                client.drop_database(created)


@pytest.fixture
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Bootstrap servers of a broker of the test's own, so that nothing is shared.

    The embedded one is up in 20 ms, Apache Kafka in 4 s.
    """
    if CONTAINERS:
        with kafka_container() as bootstrap:
            if bootstrap:
                yield bootstrap
                return
    folder = tmp_path_factory.mktemp("kafka")
    with embedded(folder, mongo=False, kafka_port=None, broker=BROKER) as infrastructure:
        yield infrastructure.kafka


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Database, broker and the five services on free ports, one system for each file of tests.

    It simulates: a call says what time it is. Each process can be armed to die at a failpoint.
    """
    folder = tmp_path_factory.mktemp("system")
    with system(
        folder,
        simulation=True,
        usual_ports=False,
        broker=BROKER,
        environment=armable(folder),
    ) as started:
        yield started


@pytest.fixture
async def library(running: System) -> AsyncIterator[Library]:
    """The running system as its people see it, with a new operator, librarian and station."""
    async with Library(running) as opened:
        yield opened
