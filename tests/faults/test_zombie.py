"""Processes that are suspended for a while and then continue write nothing stale."""

import asyncio
import time
from collections.abc import Iterator

import pytest

from ops.infrastructure.processes import System
from tests.conftest import APACHE
from tests.faults.load import KINDS, Load
from tests.faults.report import record
from tests.library import Library
from tests.systems import started_system

pytestmark = pytest.mark.kafka  # the embedded broker never reassigns a silent member's partitions

STILL_SECONDS = 12
"""Longer than a session (10 s), a relay's lease and a transaction (5 s each)."""
BEFORE_SECONDS = AFTER_SECONDS = 3
"""Seconds of load before and after."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The system with two replicas of the services that consume and serve."""
    replicas = {"circulation": 2, "notices": 2}
    with started_system(tmp_path_factory, broker=APACHE, replicas=replicas) as started:
        yield started


SUSPENDED: tuple[tuple[str, ...], ...] = (
    # Side by side if each leaves something to do for the rest.
    ("accounts-0", "events-0", "circulation-1", "notices-1"),
    ("circulation-0", "notices-0"),
    ("gateway-0",),
)
"""Processes that are suspended together."""


async def test_suspended_processes_write_nothing_stale(running: System, library: Library) -> None:
    """They are suspended in turn under one load, which an audit follows."""
    spans: dict[tuple[str, ...], tuple[float, float]] = {}
    async with Load(library) as load:
        for names in SUSPENDED:
            processes = [running.processes[name] for name in names]
            await asyncio.sleep(BEFORE_SECONDS)
            stopped = time.monotonic()
            try:
                for process in processes:
                    process.suspend()
                await asyncio.sleep(STILL_SECONDS)
            finally:
                for process in processes:
                    process.resume()
            spans[names] = (stopped, time.monotonic())
            await asyncio.sleep(AFTER_SECONDS)
    found = await load.audited()
    for names, (_, resumed) in spans.items():
        record(
            f"SIGSTOP for {STILL_SECONDS} s, then on it goes",
            running,
            invariant="nothing stale is written; each answer within 2 s or a 503",
            found=found,
            counts={"processes": len(names)},
            recovery=max(load.first_success(resumed, *kinds) or 0.0 for kinds in KINDS.values()),
        )
    assert found.findings == []
    assert found.counts["fines"] > 0
    load.check_answers(gateway_away=[span for names, span in spans.items() if "gateway-0" in names])
    for names, (stopped, resumed) in spans.items():
        meanwhile = load.succeeded(stopped) - load.succeeded(resumed)
        assert "gateway-0" in names or meanwhile > STILL_SECONDS, names
