"""Apache Kafka killed and started again under load: nothing is lost, nothing is doubled.

Commands go on while it is away; their events wait in the outbox.
"""

import asyncio
import time
from collections.abc import Iterator

import pytest

from ops.audit import audit
from ops.processes import System, system
from shared.settings import Settings
from tests.library import Library
from tests.support import until

pytestmark = pytest.mark.kafka

AWAY = 5.0
"""Seconds that the broker is down."""
DRAINED_WITHIN = 30.0


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The whole system on one node of Apache Kafka."""
    folder = tmp_path_factory.mktemp("broker")
    with system(folder, simulation=True, usual_ports=False, broker="apache") as started:
        yield started


async def test_a_broker_that_is_killed_loses_and_doubles_nothing(
    running: System, library: Library
) -> None:
    broker = running.infrastructure.broker
    assert broker
    branch = await library.branch()
    card = await library.patron(branch)
    barcodes = await library.copies(branch, 4)
    await library.flow.settle(within=60)
    done: list[float] = []

    async def lend_and_take_back(barcode: str) -> None:
        while True:
            for path, body in (
                ("/v1/checkouts", {"card_number": card, "barcodes": [barcode], "branch": branch}),
                ("/v1/returns", {"barcodes": [barcode], "branch": branch, "channel": "desk"}),
            ):
                answer = await library.post(path, body, by="staff")
                assert answer["results"][0]["ok"], answer
                done.append(time.monotonic())

    async def lend_until(end: asyncio.Event) -> None:
        work = [asyncio.create_task(lend_and_take_back(barcode)) for barcode in barcodes]
        await end.wait()
        for task in work:
            task.cancel()
        for outcome in await asyncio.gather(*work, return_exceptions=True):
            assert isinstance(outcome, asyncio.CancelledError), outcome

    end = asyncio.Event()
    load = asyncio.create_task(lend_until(end))
    await asyncio.sleep(2)
    await asyncio.to_thread(broker.kill)
    killed = time.monotonic()
    await asyncio.sleep(AWAY)
    succeeded = sum(moment > killed for moment in done)
    await asyncio.to_thread(broker.start)
    back = time.monotonic()
    await asyncio.sleep(2)
    end.set()
    await load

    async def drained() -> bool:
        return not await library.flow.pending()

    await until(drained, within=DRAINED_WITHIN)
    drained_after = time.monotonic() - back
    await library.flow.settle(within=60)
    found = await audit(running.settings(Settings))
    print(  # noqa: T201 - pytest -s shows the figures
        f"broker killed: {succeeded} commands in {AWAY:.0f} s without it, outbox empty "
        f"{drained_after:.1f} s after its return, {found.counts['events recorded']} events"
    )
    assert succeeded > 20
    assert found.findings == []
