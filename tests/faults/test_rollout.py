"""The replicas of circulation are replaced one by one, and one is killed, while people use it."""

import asyncio
import time
from collections.abc import Iterator

import pytest

from ops.infrastructure.processes import System
from tests.conftest import BROKER
from tests.faults.load import KINDS, Load
from tests.faults.refusals import refused
from tests.faults.report import record
from tests.library import Library
from tests.support import until
from tests.systems import started_system

REPLICAS = 3
DRAIN_SECONDS = 2
ENOUGH = 12
"""Commands at circulation between two changes."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The system with three replicas of circulation, which drain."""
    with started_system(
        tmp_path_factory,
        broker=BROKER,
        replicas={"circulation": REPLICAS},
        environment={"circulation": {"CARREL_DRAIN_SECONDS": str(DRAIN_SECONDS)}},
    ) as started:
        yield started


async def more(load: Load) -> None:
    """Wait until circulation has carried out some commands from now on."""
    since = time.monotonic()

    async def enough() -> bool:
        return sum(load.succeeded(since, kind) for kind in KINDS["circulation"]) >= ENOUGH

    await until(enough)


async def test_a_rollout_and_a_kill_refuse_no_command_with_a_key(
    running: System, library: Library
) -> None:
    async with Load(library, rate=10) as load:
        await more(load)
        for number in range(REPLICAS):
            await asyncio.to_thread(running.process("circulation", number).stop)
            await more(load)
            await asyncio.to_thread(running.process("circulation", number).start)
            await more(load)
        replaced = refused(load, "circulation")
        await asyncio.to_thread(running.process("circulation", 1).kill)
        await more(load)
        await asyncio.to_thread(running.process("circulation", 1).start)
    found = await load.audited()
    counts = {"replaced": REPLICAS, "killed": 1, "503 at once": len(refused(load, "circulation"))}
    record(
        "each of three replicas of circulation is replaced, then one is killed",
        running,
        invariant="no command with a key is refused, and none is carried out twice",
        found=found,
        counts=counts,
    )
    load.check_answers()
    assert (replaced, refused(load, "circulation")) == ([], [])
    assert found.findings == []
