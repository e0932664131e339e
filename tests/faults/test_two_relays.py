"""Two relays of one service at once: rows may be sent twice, never out of order, never lost.

The lease keeps other relays from the same work; it is no fence. A relay that was stopped for
longer than its lease sends the rows it had read; another relay may run without the lease.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress

import orjson
import pytest

from ops.broker.offsets import Positions
from ops.infrastructure.processes import System
from services.registry import OWNERS
from services.settings import Settings
from shared.contracts import published
from shared.relay import Relay, outbox_producer
from shared.supervision import Commits
from tests.conftest import APACHE
from tests.faults.kills import arm, armable, disarm
from tests.faults.load import Load
from tests.faults.report import record
from tests.library import Library
from tests.support import patient_client, until
from tests.systems import started_system

pytestmark = pytest.mark.kafka

INVARIANT = "rows go out twice at most in the order of their versions; consumers bear it"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The system with two processes that only relay the events of circulation."""
    relay = {"CARREL_ROLES": "relay"}
    with started_system(
        tmp_path_factory,
        broker=APACHE,
        replicas={"circulation": 3},
        environment=lambda folder: {
            "circulation-0": {"CARREL_ROLES": "api,consumers,jobs"},
            "circulation-1": {**relay, **armable(folder, {"circulation": 3})["circulation-1"]},
            "circulation-2": relay,
        },
    ) as started:
        yield started


async def test_a_relay_suspended_past_its_lease_only_sends_duplicates(
    running: System, library: Library
) -> None:
    stalled, other = (running.process("circulation", replica) for replica in (1, 2))
    await asyncio.to_thread(other.stop)  # so that the first holds the lease
    async with Load(library) as load:
        await until(lambda: holder_is(running, "circulation-1"), within=30)
        await asyncio.to_thread(other.start)
        arm(stalled, "relay.fetched", 20, stop=True)
        # It is stopped with unsent rows, and its lease runs out.
        await until(lambda: holder_is(running, "circulation-2"), within=60)
        await asyncio.sleep(2)
        disarm(stalled)
        await asyncio.to_thread(stalled.resume)
        await asyncio.sleep(2)
    found = await load.audited()
    doubles = await doubles_in_order(running)
    record(
        "a relay stopped between reading and sending for longer than its lease, then continued",
        running,
        invariant=INVARIANT,
        found=found,
        counts={"doubles": doubles},
    )
    load.check_answers()
    assert doubles > 0
    assert found.findings == []


async def test_a_second_relay_without_a_lease_only_sends_duplicates(
    running: System, library: Library
) -> None:
    before = await doubles_in_order(running)
    async with Load(library) as load, relays_without_lease(running):
        await asyncio.sleep(8)
    found = await load.audited()
    doubles = await doubles_in_order(running) - before
    record(
        "two relays at once for each service, all the time",
        running,
        invariant=INVARIANT,
        found=found,
        counts={"doubles": doubles},
    )
    load.check_answers()
    assert doubles > 0
    assert found.findings == []


async def holder_is(running: System, name: str) -> bool:
    """Return whether this process holds the lease of circulation's relay."""
    settings = running.settings(Settings)
    client = patient_client(settings.mongo_url)
    try:
        lease = await client[f"{settings.database_prefix}_circulation"].leases.find_one("relay")
    finally:
        client.close()
    return bool(lease and lease["holder"] == name)


@asynccontextmanager
async def relays_without_lease(running: System) -> AsyncIterator[None]:
    """Run one more relay for each service, which drains its outbox continuously."""
    settings = running.settings(Settings)
    client = patient_client(settings.mongo_url)

    second_replica = settings.model_copy(update={"replica": "second"})

    async def relay(service: str) -> None:
        producer = outbox_producer(settings, f"{service}-second")
        await producer.start()
        try:
            database = client[f"{settings.database_prefix}_{service}"]
            second = Relay(database, second_replica, service, Commits())
            while True:
                await second.drain(producer)
                await asyncio.sleep(0.001)
        finally:
            await producer.stop()

    tasks = [asyncio.create_task(relay(service)) for service in OWNERS]
    try:
        yield
        assert not any(task.done() for task in tasks), tasks
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task
        client.close()


async def doubles_in_order(running: System) -> int:
    """Return the number of repeated messages; check that versions first appear in order."""
    seen: Counter[str] = Counter()
    newest: dict[tuple[str, str], int] = {}
    async with Positions(running.settings(Settings)) as positions:
        for topic in published():
            async for message in positions.records(topic):
                headers = {name: (value or b"").decode() for name, value in message.headers}
                seen[headers["ce_id"]] += 1
                if seen[headers["ce_id"]] > 1:
                    continue
                resource = topic, headers["ce_subject"]
                version = orjson.loads(message.value)["version"]
                assert version > newest.get(resource, 0), (resource, version, newest[resource])
                newest[resource] = version
    return seen.total() - len(seen)
