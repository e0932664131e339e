"""Three brokers, two of which must store an event before it counts as published.

Each node is broker and controller. The loss of one has no effect; after the loss of two, the
cluster accepts no events, commands go on, and their events wait in the outboxes.
"""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import pytest

from ops.infrastructure.apache import format_storage
from ops.infrastructure.child import Child
from ops.infrastructure.processes import System
from services.registry import OWNERS
from services.settings import Settings
from shared.clock import wall_clock
from shared.mongo import Database
from tests.conftest import BROKER
from tests.faults.load import Load
from tests.faults.report import record
from tests.library import Library
from tests.support import patient_client, until
from tests.systems import SECURED, SECURED_CLUSTER, data_folder, system_in

pytestmark = [pytest.mark.kafka, pytest.mark.alone]

LOAD = 3.0
"""Seconds of load before and after a fault."""
AWAY = 8.0
DRAINED_WITHIN = 60.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with data_folder(tmp_path_factory, on_disk=True) as folder:
        yield folder


@pytest.fixture(scope="module")
def running(folder: Path) -> Iterator[System]:
    """The whole system on three nodes of Apache Kafka."""
    broker = SECURED_CLUSTER if BROKER == SECURED else "apache-3"
    with system_in(folder, broker=broker) as started:
        yield started


def nodes(running: System) -> list[Child]:
    broker = running.infrastructure.broker
    assert broker
    return [broker, *running.infrastructure.more_brokers]


@asynccontextmanager
async def stores(running: System) -> AsyncIterator[dict[str, Database]]:
    """The databases of the publishing services."""
    settings = running.settings(Settings)
    client = patient_client(settings.mongo_url)
    yield {name: client[f"{settings.database_prefix}_{name}"] for name in OWNERS}
    client.close()


async def drain(library: Library) -> None:
    async def drained() -> bool:
        return not await library.flow.pending()

    await until(drained, within=DRAINED_WITHIN)


async def test_commands_and_events_continue_without_one_of_three_brokers(
    running: System, library: Library, folder: Path
) -> None:
    """The first controller is lost, then the second with its log: each time one is elected."""
    pauses = {}
    async with Load(library) as load:
        for number, log in ((1, "kept"), (2, "lost")):
            lost = nodes(running)[number - 1]
            await asyncio.sleep(LOAD)
            killed = time.monotonic()
            await asyncio.to_thread(lost.kill)
            await asyncio.sleep(AWAY)
            await drain(library)  # two of three are enough
            if log == "lost":
                shutil.rmtree(folder / "apache" / str(number) / "log")
                await asyncio.to_thread(format_storage, folder)
            await asyncio.to_thread(lost.start)
            await asyncio.sleep(LOAD)
            pauses[log] = load.longest_gap(killed), load.succeeded(killed)
    found = await load.audited()
    for log, (pause, meanwhile) in pauses.items():
        record(
            f"one broker of three killed under load, its log {log}",
            running,
            invariant="commands go on without a pause, and events are published by the other two",
            found=found,
            counts={"commands meanwhile": meanwhile},
            recovery=pause,
        )
    load.check_answers()
    assert found.findings == []
    assert max(pause for pause, _ in pauses.values()) < AWAY  # commands did not wait for it


async def test_without_two_of_three_brokers_nothing_counts_as_published(
    running: System, library: Library
) -> None:
    first, second, _ = nodes(running)
    relays = [running.process(service) for service in OWNERS]
    async with Load(library) as load:
        await asyncio.sleep(LOAD)
        await asyncio.gather(*(asyncio.to_thread(node.kill) for node in (first, second)))
        gone, lost_at = time.monotonic(), wall_clock()
        before = [complaints(relay) for relay in relays]
        await asyncio.sleep(AWAY)
        meanwhile = load.succeeded(gone)
        published = await published_since(running, lost_at)
        waiting = await library.flow.pending()
        logged = [complaints(relay) - count for relay, count in zip(relays, before, strict=True)]
        await asyncio.to_thread(second.start)
        back = time.monotonic()
        await drain(library)
        recovery = time.monotonic() - back
        await asyncio.to_thread(first.start)
    found = await load.audited()
    record(
        "two brokers of three killed under load",
        running,
        invariant="commands go on, nothing counts as published that is not, events follow in 30 s",
        found=found,
        counts={"commands meanwhile": meanwhile},
        recovery=recovery,
    )
    load.check_answers()
    assert meanwhile > 10
    assert published == 0
    assert waiting
    assert max(logged) < 2 * AWAY, "a relay that waits says so now and then, not all the time"
    assert found.findings == []


def complaints(relay: Child) -> int:
    """Return the number of warnings and errors that a process and its client have logged."""
    lines = relay.log.read_text(errors="replace").splitlines()
    return sum('"level": "warning"' in line or '"level": "error"' in line for line in lines)


async def published_since(running: System, moment: datetime) -> int:
    """Return the number of events marked as published after `moment`."""
    async with stores(running) as databases:
        return sum(
            [
                await store.outbox.count_documents({"published_at": {"$gt": moment}})
                for store in databases.values()
            ]
        )
