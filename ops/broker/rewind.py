"""Positions of consumer groups after a broker has lost its log."""

import asyncio
import time

from aiokafka import AIOKafkaConsumer, TopicPartition

from ops.broker.offsets import Positions, subscribed_topics
from services.settings import Settings
from shared.bus.connection import client_arguments
from shared.bus.listener import SESSION_TIMEOUT_MS
from shared.names import Names

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
            await commit(settings, service, {p: starts[p] for p in beyond})
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
