"""Replicas start, stop or are killed every two seconds for 40 seconds."""

import asyncio
import random
import time
from collections.abc import Iterator

import pytest

from ops.infrastructure.child import Child
from ops.infrastructure.processes import System
from tests.conftest import APACHE
from tests.faults.load import Load
from tests.faults.report import record
from tests.faults.waits import Waits
from tests.library import Library
from tests.systems import started_system

pytestmark = pytest.mark.kafka

HEARERS = ("circulation", "notices", "gateway")
SECONDS = 40
EVERY = 2.0
"""Seconds between two arrivals or departures."""
SEED = 3


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The system with one more consumer for each service that subscribes to events."""
    with started_system(
        tmp_path_factory,
        broker=APACHE,
        replicas=dict.fromkeys(HEARERS, 2),
        environment={f"{service}-1": {"CARREL_ROLES": "consumers"} for service in HEARERS},
    ) as started:
        yield started


async def test_starting_and_stopping_replicas_loses_and_doubles_nothing(
    running: System, library: Library
) -> None:
    async with Waits(running) as waits, Load(library, rate=10) as load:
        changes = await come_and_go([running.process(service, 1) for service in HEARERS])
    ended = time.monotonic()
    found = await load.audited()
    settled = time.monotonic() - ended
    longest = max(waits.longest.values())
    print(f"come and go: {changes} changes, {waits.longest}, settled in {settled:.1f} s")  # noqa: T201
    record(
        "a replica of one of three services comes, goes or is killed every 2 s for 40 s",
        running,
        invariant="each event is processed; the recovery is the longest wait of one",
        found=found,
        counts={"changes": changes},
        recovery=longest,
    )
    load.check_answers()
    assert found.findings == []


async def come_and_go(processes: list[Child]) -> int:
    """Start, stop or kill a process every few seconds, then start all; count the changes."""
    order = random.Random(SEED)  # noqa: S311 - no secret
    changes = 0
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        process = order.choice(processes)
        change = order.choice([Child.stop, Child.kill]) if process.running else Child.launch
        began = time.monotonic()
        await asyncio.to_thread(change, process)
        changes += 1
        await asyncio.sleep(max(0.0, EVERY - (time.monotonic() - began)))
    for process in processes:
        await asyncio.to_thread(process.start)
    return changes
