"""A process that stands still for a while and then goes on writes nothing stale."""

import asyncio
from collections.abc import Iterator
from datetime import date

import pytest

from ops.audit import audit
from ops.processes import System, system
from shared.settings import Settings
from tests.faults.test_kills import day_at_the_library
from tests.library import Library

pytestmark = pytest.mark.kafka  # the embedded broker never hands a silent member's partitions on

STILL_SECONDS = 15
"""Longer than a session (10 s), a relay's lease and a transaction (5 s each)."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The system with two replicas of circulation."""
    folder = tmp_path_factory.mktemp("system")
    replicas = {"circulation": 2}
    with system(
        folder, simulation=True, usual_ports=False, broker="apache", replicas=replicas
    ) as started:
        yield started


@pytest.mark.parametrize("replica", [0, 1])
async def test_a_process_that_stood_still_writes_nothing_stale(
    running: System, library: Library, replica: int
) -> None:
    process = running.process("circulation", replica)

    async def stand_still() -> None:
        await asyncio.to_thread(process.suspend)
        try:
            await asyncio.sleep(STILL_SECONDS)
        finally:
            await asyncio.to_thread(process.resume)

    still = asyncio.create_task(stand_still())
    await day_at_the_library(library, date(2020, 11, 2))
    await still
    await day_at_the_library(library, date(2020, 12, 2))
    await library.flow.settle(within=60)

    found = await audit(running.settings(Settings))
    assert found.findings == []
    assert found.counts["fines"] > 0
