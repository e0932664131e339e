"""Replicas start, stop and die: the time that an event waits on Apache Kafka.

Two replicas of each consuming service process patron events at a steady pace. The measured
time is from an event's sending to its effect in the database, the longest of all; it includes
pauses of consumption. The fault matrix shows it.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import aiohttp
import pytest
from aiokafka import AIOKafkaProducer

from ops.infrastructure.child import Child
from ops.infrastructure.processes import System
from services.settings import Settings
from shared.bus.connection import client_arguments
from shared.bus.listener import SESSION_TIMEOUT_MS
from shared.contracts.accounts import PatronRegistered
from shared.mongo import Database, Document
from tests.conftest import APACHE
from tests.faults.report import record
from tests.support import patient_client, until
from tests.systems import data_folder, system_in

pytestmark = pytest.mark.kafka

PACE = 0.02
"""Seconds between two events."""
LOAD = 2.0
"""Seconds of load before and after a change."""
SESSION_SECONDS = SESSION_TIMEOUT_MS / 1000


HEARERS = ("circulation", "notices", "gateway")
EFFECTS: list[Document] = [
    {"$match": {"operationType": "insert", "ns.coll": {"$in": ["inbox", "account_views"]}}},
    {"$project": {"documentKey": 1, "wallTime": 1}},
]
"""A consumer's inserts for a new patron: a row of its inbox or, in the gateway, a view."""


@pytest.fixture(scope="module")
def replicas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Two replicas of each consuming service on one node of Apache Kafka."""
    with (
        data_folder(tmp_path_factory) as folder,
        system_in(
            folder,
            broker=APACHE,
            simulation=False,
            names=HEARERS,
            replicas=dict.fromkeys(HEARERS, 2),
            roles="consumers",
        ) as running,
    ):
        yield running


class Stream:
    """Patrons registered at a steady pace, with each event's wait for one consuming service."""

    def __init__(self, system: System, producer: AIOKafkaProducer, database: Database) -> None:
        self._system = system
        self._producer = producer
        self._database = database
        self.sent: dict[str, float] = {}
        self._processed: dict[str, float] = {}
        self.watched = asyncio.Event()
        """Set once effects are seen: an effect from before is never seen."""

    async def send(self) -> None:
        """Send until cancelled."""
        while True:
            patron_id = str(uuid4())
            event = PatronRegistered(
                version=1,
                patron_id=patron_id,
                category="adult",
                home_branch="B",
                language="en",
                status="active",
                card_digest=uuid4().hex,
            )
            headers = {
                "content-type": "application/json",
                "ce_id": patron_id,  # identifies the effects
                "ce_time": "2021-02-19T04:00:00Z",
            }
            await self._producer.send_and_wait(
                event.topic,
                event.body(),
                key=event.key.encode(),
                headers=[(name, value.encode()) for name, value in headers.items()],
            )
            self.sent[patron_id] = time.time()
            await asyncio.sleep(PACE)

    async def watch(self) -> None:
        """Record each effect, by the clock of the database, until cancelled."""
        async with self._database.watch(EFFECTS) as effects:
            await effects.try_next()  # Motor opens the stream at the first look
            self.watched.set()
            async for effect in effects:
                patron_id = effect["documentKey"]["_id"].partition(":")[0]
                self._processed.setdefault(patron_id, effect["wallTime"].timestamp())

    async def close(self, what: str) -> None:
        """Wait until all events are processed, and record the longest wait."""

        async def all_processed() -> bool:
            return self.sent.keys() <= self._processed.keys()

        await until(all_processed)
        record(
            f"a replica of one of three services {what}",
            self._system,
            invariant="each event is processed; the recovery is the longest wait of one",
            counts={"events": len(self.sent)},
            recovery=max(self._processed[event] - sent for event, sent in self.sent.items()),
        )


@contextlib.asynccontextmanager
async def steady(system: System, service: str, what: str) -> AsyncIterator[Stream]:
    """Send events during the block and for some time before and after, until all are processed."""
    settings = system.settings(Settings)
    client = patient_client(settings.mongo_url)
    producer = AIOKafkaProducer(**client_arguments(settings), acks="all", linger_ms=0)
    for replica in range(2):
        await listening(system, service, replica)
    await producer.start()
    stream = Stream(system, producer, client[f"{settings.database_prefix}_{service}"])
    tasks = [asyncio.create_task(stream.watch())]
    try:
        await stream.watched.wait()
        tasks.append(asyncio.create_task(stream.send()))
        await asyncio.sleep(LOAD)
        yield stream
        await asyncio.sleep(LOAD)
        watching, sending = tasks
        sending.cancel()
        await asyncio.wait([sending])
        await stream.close(what)
        assert not watching.done(), watching
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await producer.stop()
        client.close()


async def listening(system: System, service: str, replica: int) -> None:
    """Wait until a replica is a member of its consumer group."""
    async with aiohttp.ClientSession() as session:

        async def listens() -> bool:
            url = f"{system.operations_url(service, replica)}/health/ready"
            async with session.get(url) as answer:
                report = await answer.json()
            return bool(report["checks"]["consumer"] == "listening")

        await until(listens)


async def again(process: Child) -> None:
    await asyncio.to_thread(process.start)


@pytest.mark.parametrize("service", HEARERS)
async def test_each_event_is_processed_during_a_rolling_restart(
    replicas: System, service: str
) -> None:
    async with steady(replicas, service, "restarted, then the other"):
        for replica in range(2):
            process = replicas.process(service, replica)
            await asyncio.to_thread(process.stop)
            await again(process)
            await listening(replicas, service, replica)


async def test_each_event_is_processed_when_a_killed_replica_returns(replicas: System) -> None:
    process = replicas.process("circulation", 1)
    async with steady(replicas, "circulation", "killed and restarted"):
        await asyncio.to_thread(process.kill)
        await again(process)
        await listening(replicas, "circulation", 1)


async def test_each_event_is_processed_when_a_killed_replica_stays_away(
    replicas: System,
) -> None:
    process = replicas.process("circulation", 1)
    try:
        async with steady(replicas, "circulation", "killed"):
            await asyncio.to_thread(process.kill)
            await asyncio.sleep(SESSION_SECONDS)
    finally:
        await again(process)
