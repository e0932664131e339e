"""Replicas that come, go and die: how long an event waits on Apache Kafka.

Two replicas of circulation take in patrons at a steady pace. What is measured is the time from an
event's sending to the transaction of its effect, the longest of all: a pause of consumption is in
it. `pytest -s` shows the figures.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC
from uuid import uuid4

import aiohttp
import pytest
from aiokafka import AIOKafkaProducer

from ops.child import Child
from ops.embedded import embedded
from ops.processes import System, services
from shared.bus import SESSION_TIMEOUT_MS
from shared.contracts.accounts import PatronRegistered
from shared.mongo import Database, connect
from shared.settings import Settings
from tests.support import until

pytestmark = pytest.mark.kafka

PACE = 0.02
"""Seconds between two events."""
LOAD = 3.0
"""Seconds of load before and after what happens."""


@pytest.fixture(scope="module")
def circulation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Two replicas of circulation on one node of Apache Kafka."""
    folder = tmp_path_factory.mktemp("rebalance")
    with (
        embedded(folder, mongo_port=None, kafka_port=None, broker="apache") as infrastructure,
        services(
            infrastructure,
            folder,
            names=["circulation"],
            replicas={"circulation": 2},
            usual_ports=False,
        ) as running,
    ):
        yield running


class Stream:
    """Patrons registered at a steady pace, and how long each waited."""

    def __init__(self, producer: AIOKafkaProducer, database: Database) -> None:
        self._producer = producer
        self._database = database
        self.sent: dict[str, float] = {}
        self.longest = 0.0
        """Seconds that an event waited at most; known in the end."""

    async def send(self) -> None:
        """Send until cancelled."""
        while True:
            event = PatronRegistered(
                version=1,
                patron_id=str(uuid4()),
                category="adult",
                home_branch="B",
                language="en",
                status="active",
                card_digest=uuid4().hex,
            )
            event_id = str(uuid4())
            headers = {
                "content-type": "application/json",
                "ce_id": event_id,
                "ce_time": "2021-02-19T04:00:00Z",
            }
            await self._producer.send_and_wait(
                event.topic,
                event.body(),
                key=event.key.encode(),
                headers=[(name, value.encode()) for name, value in headers.items()],
            )
            self.sent[event_id] = time.time()
            await asyncio.sleep(PACE)

    async def all_taken_in(self) -> bool:
        """Whether each had its effect."""
        return len(await self._waits()) == len(self.sent)

    async def close(self, what: str) -> None:
        """Wait until all are taken in, and note how long one waited at most."""
        await until(self.all_taken_in, within=30)
        self.longest = max((await self._waits()).values())
        print(f"{what}: {len(self.sent)} events, longest wait {self.longest:.2f} s")  # noqa: T201

    async def _waits(self) -> dict[str, float]:
        waits = {}
        async for row in self._database.inbox.find({}):
            event_id = row["_id"].partition(":")[0]
            if event_id in self.sent:
                at = row["at"].replace(tzinfo=UTC).timestamp()
                waits[event_id] = at - self.sent[event_id]
        return waits


@contextlib.asynccontextmanager
async def steady(system: System, what: str) -> AsyncIterator[Stream]:
    """Events flow while the block runs and some time before and after; then all are taken in."""
    settings = system.settings(Settings)
    client = connect(settings.mongo_url)
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka, acks="all", linger_ms=0)
    for replica in range(2):
        await listening(system, replica)
    await producer.start()
    try:
        stream = Stream(producer, client[f"{settings.database_prefix}_circulation"])
        sending = asyncio.create_task(stream.send())
        await asyncio.sleep(LOAD)
        yield stream
        await asyncio.sleep(LOAD)
        sending.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sending
        await stream.close(what)
    finally:
        await producer.stop()
        client.close()


async def listening(system: System, replica: int) -> None:
    """Wait until a replica takes part in its group."""
    async with aiohttp.ClientSession() as session:

        async def listens() -> bool:
            url = f"{system.url('circulation', replica)}/health/ready"
            async with session.get(url) as answer:
                report = await answer.json()
            return bool(report["checks"]["consumer"] == "listening")

        await until(listens, within=30)


async def again(process: Child) -> None:
    await asyncio.to_thread(process.start)


async def test_a_rolling_restart_makes_no_event_wait_two_seconds(circulation: System) -> None:
    async with steady(circulation, "rolling restart") as stream:
        for replica in range(2):
            process = circulation.process("circulation", replica)
            await asyncio.to_thread(process.stop)
            await again(process)
            await listening(circulation, replica)
    assert stream.longest < 2.0


async def test_a_killed_replica_that_returns_has_its_partitions_at_once(
    circulation: System,
) -> None:
    process = circulation.process("circulation", 1)
    async with steady(circulation, "killed and restarted") as stream:
        killed = time.monotonic()
        await asyncio.to_thread(process.kill)
        await again(process)
        await listening(circulation, 1)
        away = time.monotonic() - killed
    assert stream.longest < away + 1.0


async def test_a_killed_replica_that_stays_away_is_replaced_after_its_session(
    circulation: System,
) -> None:
    process = circulation.process("circulation", 1)
    session = SESSION_TIMEOUT_MS / 1000
    try:
        async with steady(circulation, "killed") as stream:
            await asyncio.to_thread(process.kill)
            await asyncio.sleep(session)
    finally:
        await again(process)
    assert stream.longest < session + 3.0
