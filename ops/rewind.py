"""Positions of groups that outlived the log they were about."""

import asyncio
import time

from aiokafka import AIOKafkaConsumer, TopicPartition

from ops.offsets import Positions, heard
from shared.bus import SESSION_TIMEOUT_MS
from shared.settings import Settings

LEFT_WITHIN = SESSION_TIMEOUT_MS / 1000 + 5
"""Seconds after which a group has no member that died: those it has are at work."""


async def rewind(settings: Settings) -> int:
    """Take groups back to the beginning of partitions that they have read beyond the end of.

    Such a position is of a log that was lost: what is published there from now on would be passed
    over up to it. Consumers at work notice by themselves, and start from the beginning. Says how
    many positions were taken back.
    """
    taken_back = 0
    async with Positions(settings.kafka) as positions:
        starts, ends = await positions.starts(), await positions.ends()
        for service in heard():
            stored = await positions.admin.list_consumer_group_offsets(service)
            beyond = {
                p: at.offset for p, at in stored.items() if at.offset > ends.get(p, at.offset)
            }
            if beyond and await _is_left(positions, service):
                await _commit(settings, service, {p: starts[p] for p in beyond})
                taken_back += len(beyond)
    return taken_back


async def _is_left(positions: Positions, service: str) -> bool:
    """Whether nobody consumes for a service; those that died are waited for."""
    deadline = time.monotonic() + LEFT_WITHIN
    while time.monotonic() < deadline:
        [answer] = await positions.admin.describe_consumer_groups([service])
        _, _, state, *_ = answer.groups[0]
        if state in ("Empty", "Dead"):
            return True
        await asyncio.sleep(0.5)
    return False


async def _commit(settings: Settings, service: str, offsets: dict[TopicPartition, int]) -> None:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka.split(","), group_id=service, enable_auto_commit=False
    )
    await consumer.start()
    try:
        consumer.assign(list(offsets))
        await consumer.commit(offsets)
    finally:
        await consumer.stop()
