"""The relay: publish outbox rows to Kafka, oldest first, and mark those that are acknowledged."""

import asyncio
import contextlib
import time
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from opentelemetry.trace import SpanKind
from prometheus_client import Counter, Gauge
from pymongo.errors import PyMongoError

from shared.bus.connection import client_arguments
from shared.clock import wall_clock
from shared.failpoint import failpoint
from shared.lease import give_up_lease, hold_lease
from shared.mongo import Database, Document
from shared.names import Names
from shared.settings import Settings
from shared.supervision import Commits
from shared.tracing import begin

log = structlog.get_logger()

BATCH = 500
GATHER_SECONDS = 0.05
"""Least time from a look that found rows to the next, so that a busy service's are sent together.

A row after a pause is sent at once.
"""
LEASE_SECONDS = 5
LOOK_SECONDS = 1.0
"""The longest time from a look for rows to the next, if this process records no event meanwhile.

The rows of the service's other processes wait for it.
"""
LOOK_GROWTH = 1.2
"""Factor by which the time to the next look grows after one that found no row."""
RENEW_SECONDS = 2.0
"""Seconds after which the holder renews its lease."""
TRY_SECONDS = 1.0
"""Seconds between two tries of another process to take the lease."""
CALM_SECONDS = 30.0
MOST_BYTES = 4 * 1024 * 1024
"""Greatest size of an event before it is compressed, as a title with thousands of copies has.

The broker's limit of 1 MB is for the compressed message.
"""

RELAYED = Counter(
    "carrel_outbox_relayed_total", "Outbox rows acknowledged by the broker", ["topic"]
)

LEASED = Gauge("carrel_relay_lease_held", "1 where this process relays the service's outbox")


class Relay:
    """Publishes the outbox of one service. Only the replica that holds the lease works.

    The lease keeps the others from doing the same work; it does not fence. Two relays at once
    publish a row twice, which does no harm in any consumer.

    It is woken by its own process's commits of events, and looks for the rows of other processes by
    the clock (docs/decisions/215).
    """

    def __init__(
        self, database: Database, settings: Settings, service: str, commits: Commits
    ) -> None:
        self._database = database
        self._settings = settings
        self._names = Names(settings.topic_prefix)
        self._holder = f"{service}-{settings.replica}"
        self._commits = commits

    async def run(self) -> None:
        """Relay until cancelled; wait while the database or the broker is away."""
        try:
            await self._reconnect()
        finally:
            with contextlib.suppress(Exception):
                await give_up_lease(self._database, "relay", self._holder)

    async def _reconnect(self) -> None:
        pause = 0.1
        while True:
            began = time.monotonic()
            try:
                await self._run_connected()
            except (KafkaError, PyMongoError, OSError) as error:
                if time.monotonic() - began > CALM_SECONDS:
                    pause = 0.1  # it worked for a while: this is a new fault
                log.warning("relay waits", error=type(error).__name__, seconds=pause)
                await asyncio.sleep(pause)
                pause = min(pause * 2, 2.0)

    async def _run_connected(self) -> None:
        producer = outbox_producer(self._settings, f"{self._holder}-relay")
        try:
            await producer.start()
            held, renewed, looked, pause = False, 0.0, 0.0, GATHER_SECONDS
            while True:
                if not held or time.monotonic() - renewed >= RENEW_SECONDS:
                    renewed = time.monotonic()
                    held = await hold_lease(self._database, "relay", self._holder, LEASE_SECONDS)
                    LEASED.set(held)
                if not held:
                    await asyncio.sleep(TRY_SECONDS)
                    continue
                seen, now = self._commits.count, time.monotonic()
                if found := await self.drain(producer):
                    looked, pause = now, GATHER_SECONDS
                else:
                    pause = min(pause * LOOK_GROWTH, LOOK_SECONDS)
                if found < BATCH:
                    await self._commits.after(seen, pause)
                    await self._gather(looked)
        finally:
            LEASED.set(0)
            await producer.stop()

    async def drain(self, producer: AIOKafkaProducer) -> int:
        """Publish the oldest pending rows, at most BATCH; return the number of rows."""
        rows: list[Document] = (
            await self._database.outbox.find({"pending": True})
            .hint([("pending", 1)])
            .limit(BATCH)
            .to_list(BATCH)
        )
        if not rows:
            return 0
        failpoint("relay.fetched")
        acks = [await _traced(producer, row, self._names) for row in rows]
        failpoint("relay.sent")
        await asyncio.gather(*acks)
        failpoint("relay.acknowledged")
        await self._database.outbox.update_many(
            {"_id": {"$in": [row["_id"] for row in rows]}},
            {"$currentDate": {"published_at": True}, "$unset": {"pending": ""}},
        )
        failpoint("relay.marked")
        for row in rows:
            RELAYED.labels(row["topic"]).inc()
        return len(rows)

    async def _gather(self, looked: float) -> None:
        """Let rows gather if the last look that found some, at a monotonic time, was just now."""
        await asyncio.sleep(max(0.0, looked + GATHER_SECONDS - time.monotonic()))


async def _traced(producer: AIOKafkaProducer, row: Document, names: Names) -> asyncio.Future[Any]:
    """Send a row in a span of the trace that recorded it; the span ends with the acknowledgement.

    The message keeps the recorded trace headers, so a consumer's span is a sibling of this one.
    """
    if "traceparent" not in row["headers"]:
        return await send_row(producer, row, names)
    sending = begin(
        f"{row['topic']} publish",
        SpanKind.PRODUCER,
        headers=row["headers"],
        attributes={
            "messaging.system": "kafka",
            "messaging.destination.name": row["topic"],
            "messaging.message.id": row["_id"],
        },
    )
    ack = await send_row(producer, row, names)
    ack.add_done_callback(lambda _: sending.end())
    return ack


def outbox_producer(
    settings: Settings, client_id: str, *, idempotent: bool = True
) -> AIOKafkaProducer:
    """Return a producer, not started, that publishes outbox rows in order and fast.

    A broker identifies an idempotent producer by a number. A broker that lost its log gives the
    same numbers out again while earlier producers still use theirs. Of two producers with one
    number, it refuses the messages of one, or drops them as duplicates.

    A producer that is not idempotent gives a message up after the time of a request. It gets a
    minute, in which the partitions of new topics find their leaders.
    """
    return AIOKafkaProducer(
        **client_arguments(settings),
        client_id=client_id,
        acks="all",
        enable_idempotence=idempotent,
        compression_type="gzip",
        linger_ms=2,
        max_batch_size=256 * 1024,
        max_request_size=MOST_BYTES,
        request_timeout_ms=10_000 if idempotent else 60_000,
    )


async def send_row(producer: AIOKafkaProducer, row: Document, names: Names) -> asyncio.Future[Any]:
    """Hand an outbox row to the producer; await the result for the acknowledgement."""
    ack: asyncio.Future[Any] = await producer.send(
        names.on_kafka(row["topic"]),
        value=bytes(row["body"]),
        key=row["key"].encode(),
        headers=[(name, value.encode()) for name, value in row["headers"].items()],
        timestamp_ms=int(row["recorded_at"].timestamp() * 1000),
    )
    return ack


async def outbox_pending(database: Database) -> int:
    """Return the number of rows that wait to be published, counted up to 10,000."""
    query = {"pending": True}
    return int(await database.outbox.count_documents(query, hint=[("pending", 1)], limit=10_000))


async def outbox_age(database: Database) -> float:
    """Return the seconds that the oldest pending row has waited; 0 if none waits."""
    oldest = await database.outbox.find_one(
        {"pending": True}, {"recorded_at": 1}, hint=[("pending", 1)]
    )
    return (wall_clock() - oldest["recorded_at"]).total_seconds() if oldest else 0.0
