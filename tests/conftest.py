"""The databases, brokers and running systems that tests use, on free ports.

They are real, and started once per run where tests can share them.
"""

import asyncio
import functools
import gc
import os
import secrets
import shutil
import signal
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import UnknownTopicOrPartitionError
from pymongo import MongoClient
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from ops.infrastructure import prepared
from ops.infrastructure.embedded import embedded
from ops.infrastructure.processes import System
from ops.serve import COLLECT_AFTER
from services.accounts.sign_in.commands import hashes
from shared.deadlines import lengthened
from shared.mongo import Document
from tests import patience, quick_pins, sampling
from tests.containers import kafka_container, mongo_container
from tests.faults import report
from tests.faults.kills import armable
from tests.library import Library
from tests.second_look import Recorder
from tests.support import until
from tests.systems import data_folder, disk_root, started_system
from tests.timings import Timings
from tests.warm import Mongo, empty, kept

BROKER = os.environ.get("CARREL_TEST_KAFKA", "embedded")
"""The broker that fixtures start: "embedded", or "apache" (make test-kafka, make test-faults).

With "apache-secured" whole systems have a secured Kafka and MongoDB (tests/secured.py).
"""

APACHE = "apache" if BROKER == "embedded" else BROKER
"""The broker for tests that need Apache Kafka."""

CONTAINERS = os.environ.get("CARREL_TEST_INFRA") == "containers"
"""True if the stores and brokers of tests run in containers; needs an engine and the images."""


MEMORY = Path("/dev/shm")  # noqa: S108 - a file system, not a name in it
"""The shared-memory file system: mongod answers a majority write in half the time there."""

MEMORY_NEEDED = 8 * 1024**3
"""Free bytes needed there for the data of a whole run, with four systems at a time."""

LENGTHENED = 10
"""Factor of the deadlines of requests in tests."""

WORKERS = 3
"""Test processes for a run of more than one file, on two cores; `make test` has one more."""

LONGEST = (
    "tests/journeys/test_both_brokers.py",
    "tests/web/test_every_page.py",
    "tests/contracts/test_reference.py",
    "tests/security/test_document.py",
    "tests/faults/test_kills.py",
    "tests/faults/test_lost_log.py",
    "tests/journeys/test_secured.py",
    "tests/faults/test_broker.py",
    "tests/ops/test_apache.py",
    "tests/faults/test_seeds.py",
    "tests/journeys/test_reopening.py",
    "tests/journeys/test_simulated_city.py",
    "tests/security/test_rotation.py",
    "tests/journeys/test_access.py",  # and all that share a system with it
    "tests/security/test_erasure.py",  # as above
    "tests/faults/test_network.py",
    "tests/faults/test_zombie.py",
    "tests/faults/test_rebalance.py",
    "tests/faults/test_churn.py",
    "tests/shared/test_bus.py",
    "tests/faults/test_two_relays.py",
    "tests/faults/test_three_times.py",
    "tests/faults/test_disk_full.py",
    "tests/faults/test_poison.py",
    "tests/gateway/test_projection.py",
    "tests/circulation/test_state.py",
    "tests/circulation/test_previews.py",
    "tests/ops/test_restore.py",
    "tests/ops/test_update.py",
)
"""Files that take longest. One that starts last would leave the other processes idle."""

SHARING = ("tests/gateway/web", "tests/journeys", "tests/security")
"""Folders of which the conftest has a system for all files that start none of their own."""


def pytest_configure(config: pytest.Config) -> None:
    """Choose where data goes and how PINs are hashed; measure the machine, time the tests."""
    # A shell in whose background tests run ignores it, and what they start would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if "PYTEST_DEBUG_TEMPROOT" not in os.environ:  # a worker inherits it from its parent process
        os.environ["PYTEST_DEBUG_TEMPROOT"] = str(_temporary_root())
    prepared.add([quick_pins.__name__])
    sampling.choose_seed()
    patience.slowness()  # a worker inherits it from its parent process
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Timings(config.rootpath), "timings")
        config.pluginmanager.register(Recorder(config.option.markexpr), "recorder")


def _temporary_root() -> Path:
    try:
        if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= MEMORY_NEEDED:
            return MEMORY
    except OSError:
        pass
    return disk_root()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of the longest files first."""
    places = {file: place for place, file in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.nodeid.partition("::")[0], len(places)))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep modules and tests out of garbage collections, as a service does when it starts.

    Collections that look at them again and again take a tenth of a process's time.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(*COLLECT_AFTER)
        gc.enable()


def pytest_report_header() -> list[str]:
    """Report where the data of the tests is kept, the seed of the sample, and the slowness."""
    root = os.environ["PYTEST_DEBUG_TEMPROOT"]
    return [
        f"data of the tests: {root} ({'memory' if root == str(MEMORY) else 'disk'})",
        f"sample of the random tests: {sampling.SEED}={os.environ[sampling.SEED]}",
        f"slowness of the machine: {patience.slowness():.1f}",
    ]


class FilesAndFolders(LoadFileScheduling):  # type: ignore[misc]  # it has no types
    """Gives a file's tests to one process, and so all files of a folder that share its system."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        folder = file.rpartition("/")[0]
        return folder if folder in SHARING and _shares(self.config.rootpath / file) else file


@functools.cache
def _shares(file: Path) -> bool:
    text = file.read_text()
    return "def running(" not in text and ("library: Library" in text or "running: System" in text)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FilesAndFolders:
    """Start each shared system once, whichever processes the tests run in."""
    return FilesAndFolders(config, log)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Run one file in this process, and more in WORKERS processes."""
    names = [str(argument).partition("::")[0] for argument in config.args]
    one_file = len(set(names)) == 1 and names[0].endswith(".py")
    return 0 if one_file else WORKERS


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table of the faults that this run tried."""
    report.finish(terminalreporter.write_line)


@pytest.fixture(autouse=True)
def deadlines(request: pytest.FixtureRequest) -> Iterator[None]:
    """Raise the deadlines of requests, except for tests marked `deadlines`, which are about them.

    Tests keep all cores busy, so that a request may take seconds. Services that run in processes
    of their own keep their deadlines.
    """
    usual = request.node.get_closest_marker("deadlines") is not None
    with lengthened(deadlines=1 if usual else LENGTHENED, last_resorts=LENGTHENED):
        yield


@pytest.fixture(autouse=True)
def usually_hashed(request: pytest.FixtureRequest) -> Iterator[None]:
    """Hash PINs as a running system does, for tests marked `usual_hashes`."""
    if request.node.get_closest_marker("usual_hashes") is not None:
        hashes.hash_with(hashes.USUAL)
    yield
    hashes.hash_with(quick_pins.HASHER)


@pytest.fixture(scope="session")
def mongo_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real replica set of one node for the whole run. It takes about 0.8 s to start."""
    if CONTAINERS:
        with mongo_container() as url:
            if url:
                _adjust(url)
                yield url
                return
    folder = tmp_path_factory.mktemp("mongo")
    with embedded(folder, kafka=False, mongo_port=None) as infrastructure:
        _adjust(infrastructure.mongo_url)
        yield infrastructure.mongo_url


def _adjust(mongo_url: str) -> None:
    """Keep expired documents, which tests look at afterwards, and delete dropped data soon."""
    with MongoClient[Document](mongo_url) as client:
        client.admin.command("setParameter", 1, ttlMonitorEnabled=False)
        client.admin.command("setParameter", 1, minSnapshotHistoryWindowInSeconds=5)


@pytest.fixture(scope="session")
def mongo(mongo_url: str) -> Iterator[Mongo]:
    """A client of the database for the fixtures' own reads and writes."""
    client: Mongo = MongoClient(mongo_url)
    with client:
        yield client


@pytest.fixture(scope="session")
def warm_databases(mongo_url: str, mongo: Mongo) -> Iterator[Callable[[], str]]:
    """A function that empties this process's test databases and returns their name prefix."""
    prefix = f"t{secrets.token_hex(6)}"

    def emptied() -> str:
        empty(mongo, prefix)
        return prefix

    with kept(mongo_url, prefix):
        yield emptied


@pytest.fixture
def database(warm_databases: Callable[[], str]) -> str:
    """The name of an empty database; it serves as CARREL_DATABASE_PREFIX as well.

    Earlier tests have used databases of that name, or whose names begin with it; their indexes
    are still there. A test that changes indexes asks for `fresh_database`.
    """
    return warm_databases()


@pytest.fixture
def fresh_database(mongo: Mongo) -> Iterator[str]:
    """The name of a database that no other test uses, without collections or indexes."""
    name = f"f{secrets.token_hex(6)}"
    yield name
    for created in mongo.list_database_names():
        if created.startswith(name):
            mongo.drop_database(created)


@pytest.fixture(scope="module")
def apache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Bootstrap servers of one node of Apache Kafka for a file of tests."""
    with (
        data_folder(tmp_path_factory) as folder,
        embedded(folder, mongo=False, kafka_port=None, broker="apache") as infrastructure,
    ):
        yield infrastructure.kafka


@pytest.fixture
def kafka(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Bootstrap servers of a broker without topics.

    The embedded one is the test's own, and up in 20 ms. Apache Kafka takes 4 s to start, so a
    file's tests share one. It is never secured.
    """
    if BROKER != "embedded" and not CONTAINERS:
        bootstrap = request.getfixturevalue("apache")
        asyncio.run(delete_topics(bootstrap))
        yield bootstrap
        return
    if CONTAINERS:
        with kafka_container() as bootstrap:
            if bootstrap:
                yield bootstrap
                return
    broker = "embedded" if BROKER == "embedded" else "apache"
    with (
        data_folder(tmp_path_factory) as folder,
        embedded(folder, mongo=False, kafka_port=None, broker=broker) as infrastructure,
    ):
        yield infrastructure.kafka


async def delete_topics(bootstrap: str) -> None:
    """Delete all topics of a broker but its own; the positions of groups go with them.

    A broker lists a topic for a moment after its deletion, and a test that saw it then would not
    create it again. So topics are deleted until none is listed.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)

    async def is_empty() -> bool:
        topics = [topic for topic in await admin.list_topics() if not topic.startswith("__")]
        if topics:
            answer = await admin.delete_topics(topics)
            codes = {code for _, code, *_ in answer.topic_error_codes}
            assert codes <= {0, UnknownTopicOrPartitionError.errno}, answer
        return not topics

    await admin.start()
    try:
        await until(is_empty)
    finally:
        await admin.close()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Database, broker and the five services on free ports, one system for each file of tests.

    It runs in simulation: each call states its business time. Each process can be armed to
    die at a failpoint.
    """
    with started_system(tmp_path_factory, broker=BROKER, environment=armable) as started:
        yield started


@pytest.fixture
async def library(running: System) -> AsyncIterator[Library]:
    """A client of the running system; all tests of a system share its operator and staff."""
    async with Library(running) as opened:
        yield opened
