"""Apache Kafka lost its log: `carrel replay` refills it, and all consumers converge.

The services may run meanwhile, and the committed offsets of their groups may outlive the log.
"""

import asyncio
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.broker.replay import replay
from ops.infrastructure.apache import format_storage
from ops.infrastructure.child import start_all
from ops.infrastructure.processes import System
from services.registry import OWNERS
from services.settings import Settings
from shared.contracts import published
from tests.conftest import APACHE
from tests.faults.load import Load
from tests.faults.report import record
from tests.library import Library
from tests.secured import servers_of
from tests.systems import data_folder, system_in

pytestmark = pytest.mark.kafka


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with data_folder(tmp_path_factory, on_disk=True) as folder:
        yield folder


@pytest.fixture(scope="module")
def running(folder: Path) -> Iterator[System]:
    """The whole system on one node of Apache Kafka, with automatic topic creation off."""
    with system_in(folder, broker=APACHE) as started:
        yield started


async def test_services_at_work_converge_after_the_whole_log_was_lost(
    running: System, library: Library, folder: Path
) -> None:
    broker = running.infrastructure.broker
    assert broker
    settings = running.settings(Settings)
    async with Load(library) as load:
        await asyncio.sleep(5)
        lost = time.monotonic()
        await asyncio.to_thread(broker.kill)
        shutil.rmtree(folder / "apache" / "1" / "log")
        await asyncio.to_thread(start_empty, running, folder)
        sent = await replay_all(settings)
        await asyncio.sleep(2)
    meanwhile = load.succeeded(lost)
    found = await load.audited(within=150)
    record(
        "broker that lost its log under load, the services at work",
        running,
        invariant="refilled by replay, topics, views and databases agree",
        found=found,
        counts={"events replayed": sent, "commands meanwhile": meanwhile},
        recovery=time.monotonic() - lost,
    )
    load.check_answers()
    assert sent > 100
    assert found.findings == []


async def test_events_are_processed_again_where_positions_outlived_the_log(
    running: System, library: Library, folder: Path
) -> None:
    """Consumers die before they process lost events; their groups keep offsets of the old log."""
    broker = running.infrastructure.broker
    assert broker
    settings = running.settings(Settings)
    async with Load(library) as load:
        await asyncio.sleep(5)
        # The services stop first, before they have processed all events.
        consumers = [running.process(service) for service in ("notices", "gateway")]
        await asyncio.gather(*(asyncio.to_thread(process.kill) for process in consumers))
        await asyncio.to_thread(running.process("circulation").kill)
        await asyncio.to_thread(broker.stop)
        lost = time.monotonic()
        wiped = wipe_events(folder)
        await asyncio.to_thread(broker.start)
        sent = await replay_all(settings)
        await asyncio.to_thread(start_all, [*consumers, running.process("circulation")])
        await asyncio.sleep(2)
    found = await load.audited(within=150)
    record(
        "broker that lost its events and kept the positions of the groups",
        running,
        invariant="replay takes the groups back to the beginning; topics, views, databases agree",
        found=found,
        counts={"events replayed": sent},
        recovery=time.monotonic() - lost,
    )
    assert wiped
    assert found.findings == []


def start_empty(running: System, folder: Path) -> None:
    """Start the broker without its log, in which a secured one had its users and their rights."""
    broker, servers = running.infrastructure.broker, servers_of(running)
    assert broker
    format_storage(folder, servers.passwords if servers else {})
    broker.start()
    if servers:
        servers.give_rights()


def wipe_events(folder: Path) -> int:
    """Delete the log of each event topic, and nothing else; return the number of partitions."""
    partitions = [
        path
        for topic in published()
        for path in (folder / "apache" / "1" / "log").glob(f"{topic}-[0-9]*")
    ]
    for partition in partitions:
        shutil.rmtree(partition)
    return len(partitions)


async def replay_all(settings: Settings) -> int:
    """Publish again the events that each service keeps, all at once; return their number."""
    sent = await asyncio.gather(*(replay(settings, service) for service in OWNERS))
    return sum(one.total() for one in sent)
