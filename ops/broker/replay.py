"""The events of a service's outbox, published again, and read again by its consumers."""

import asyncio
import time
from collections import Counter
from datetime import datetime
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CommitFailedError

from ops.broker.offsets import Positions, subscribed_topics
from ops.console import errors, progress_bar
from services.registry import NAMES
from services.settings import Settings
from shared.bus.connection import client_arguments
from shared.bus.listener import SESSION_TIMEOUT_MS
from shared.bus.topics import ensure_topics
from shared.mongo import Document, connect
from shared.names import Names
from shared.relay import BATCH, outbox_producer, send_row


async def replay(
    settings: Settings, service: str, *, since: datetime | None = None, topic: str | None = None
) -> Counter[str]:
    """Publish the kept rows of a service again; return their number by topic.

    Pending rows are left to the relay.
    """
    wanted: Document = {"published_at": {"$exists": True}, "pending": {"$exists": False}}
    if since:
        wanted["recorded_at"] = {"$gte": since}
    if topic:
        wanted["topic"] = topic
    sent: Counter[str] = Counter()
    names = Names(settings.topic_prefix)
    client = connect(settings.mongo_url)
    # The services' own producers may be older than the broker's log.
    producer = outbox_producer(settings, f"{service}-replay", idempotent=False)
    try:
        outbox = client[f"{settings.database_prefix}_{service}"].outbox
        total = await outbox.count_documents(wanted)
        if not total:
            return sent
        await ensure_topics(settings, NAMES)
        if reset := await rewind(settings):
            errors.print(f"{reset} positions pointed into a lost log, and were reset.")
        await producer.start()
        with progress_bar(f"Publishing {service} again") as bar:
            task = bar.add_task("", total=total)
            # In order of insertion, which for one aggregate is the order of its changes.
            rows = outbox.find(wanted).hint([("$natural", 1)]).batch_size(BATCH)
            while batch := await rows.to_list(BATCH):
                acks: list[asyncio.Future[Any]] = [
                    await send_row(producer, row, names) for row in batch
                ]
                await asyncio.gather(*acks)
                sent.update(row["topic"] for row in batch)
                bar.advance(task, len(batch))
        return sent
    finally:
        await producer.stop()
        client.close()


MEMBERS_DROPPED_WITHIN = SESSION_TIMEOUT_MS / 1000 + 5
"""Seconds within which a group drops dead members: members that remain after this are running."""


async def rewind(settings: Settings) -> int:
    """Reset groups to the beginning of partitions if their position is beyond the end.

    Such a position is from a lost log: events published from now on would be skipped up to it.
    Running consumers notice it by themselves, and start from the beginning. Returns the number
    of positions that were reset.
    """
    async with Positions(settings) as positions:
        starts, ends = await positions.starts(), await positions.ends()

        async def reset(service: str) -> int:
            stored = await positions.committed(service)
            beyond = [p for p, offset in stored.items() if offset > ends.get(p, offset)]
            if not beyond or not await has_no_member(positions, service):
                return 0
            try:
                await commit(settings, service, {p: starts[p] for p in beyond})
            except CommitFailedError:
                return 0  # a consumer has joined since: it notices by itself
            return len(beyond)

        # All at once: each group with running members is watched for as long as one is dropped in.
        return sum(await asyncio.gather(*(reset(service) for service in subscribed_topics())))


async def has_no_member(positions: Positions, service: str) -> bool:
    """Return whether a service has no running consumer; wait until dead members are dropped."""
    deadline = time.monotonic() + MEMBERS_DROPPED_WITHIN
    while time.monotonic() < deadline:
        if not await positions.members(service):
            return True
        await asyncio.sleep(0.5)
    return False


async def commit(settings: Settings, service: str, offsets: dict[TopicPartition, int]) -> None:
    """Set the positions of a group that has no member."""
    names = Names(settings.topic_prefix)
    positions = {names.partition_on_kafka(at): offset for at, offset in offsets.items()}
    consumer = AIOKafkaConsumer(
        **client_arguments(settings),
        group_id=names.on_kafka(service),
        enable_auto_commit=False,
    )
    await consumer.start()
    try:
        consumer.assign(list(positions))
        await consumer.commit(positions)
    finally:
        await consumer.stop()
