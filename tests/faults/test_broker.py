"""Apache Kafka is stopped, killed and restarted under load: nothing is lost or doubled.

Commands succeed while it is away; their events wait in the outbox.
"""

import asyncio
import time
from collections.abc import Callable, Iterator

import pytest

from ops.infrastructure.child import Child
from ops.infrastructure.processes import System
from tests.conftest import APACHE
from tests.faults.load import Load
from tests.faults.report import record
from tests.library import Library
from tests.support import until
from tests.systems import started_system

pytestmark = pytest.mark.kafka

BEFORE = 2.0
"""Seconds of load before and after a fault."""
DRAINED_WITHIN = 30.0


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The whole system on one node of Apache Kafka."""
    with started_system(tmp_path_factory, on_disk=True, broker=APACHE) as started:
        yield started


FAULTS: dict[str, tuple[Callable[[Child], None], float]] = {
    "broker stopped with SIGTERM": (Child.stop, 5.0),
    "broker killed with SIGKILL": (Child.kill, 5.0),
    "broker restarted": (Child.stop, 0.0),
}
"""Faults, each with the end of the broker and the seconds until it is started again."""


async def test_commands_continue_without_the_broker_and_their_events_follow(
    running: System, library: Library
) -> None:
    """The faults come one after another under one load, which an audit follows."""
    broker = running.infrastructure.broker
    assert broker
    outcomes: dict[str, tuple[int, float]] = {}

    async def drained() -> bool:
        return not await library.flow.pending()

    async with Load(library) as load:
        for fault, (end, away) in FAULTS.items():
            await asyncio.sleep(BEFORE)
            gone = time.monotonic()
            await asyncio.to_thread(end, broker)
            await asyncio.sleep(away)
            await asyncio.to_thread(broker.start)
            back = time.monotonic()
            meanwhile = load.succeeded(gone)
            await until(drained, within=DRAINED_WITHIN)
            outcomes[fault] = (meanwhile, time.monotonic() - back)
        await asyncio.sleep(BEFORE)
    found = await load.audited()
    for fault, (meanwhile, recovery) in outcomes.items():
        record(
            f"{fault} under load",
            running,
            invariant="commands go on, their events wait in the outbox and follow within 30 s",
            found=found,
            counts={"commands meanwhile": meanwhile},
            recovery=recovery,
        )
    load.check_answers()
    assert min(meanwhile for meanwhile, _ in outcomes.values()) > 10
    assert found.findings == []
