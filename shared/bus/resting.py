"""Pauses between fetches, for a broker that answers fetches without events at once."""

import asyncio
import time
from collections.abc import Callable

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import IllegalStateError

LOOK_SECONDS = 0.003
"""Seconds between two looks which partitions have been read."""
GROWTH = 1.2
"""Factor by which a pause grows after one in which nothing came."""
LIMIT = 25
"""The longest of these pauses, as a multiple of the shortest."""
GATHER_LIMIT = 6
"""The longest pause after events, as a multiple of the shortest."""


async def rest_between_fetches(
    consumer: AIOKafkaConsumer, idle_poll_ms: int, processed: Callable[[], int]
) -> None:
    """Pause each partition of a started consumer once it is read, for a while; until cancelled.

    aiokafka sends a fetch again as soon as it is answered, which keeps a core busy with a broker
    that does not wait for events. `idle_poll_ms` is the setting of this name: 0 for a broker that
    waits, or the shortest pause in milliseconds. A fetch costs as much as some events, so a pause
    after events is the longer the more there were. `processed` returns the number of events that
    have been processed.
    """
    shortest = pause = idle_poll_ms / 1000
    before = processed()
    while pause:
        consumer.resume(*consumer.paused())
        resumed, until = int(time.time() * 1000), time.monotonic() + pause
        unread = set(consumer.assignment())
        while unread and time.monotonic() < until:
            await asyncio.sleep(LOOK_SECONDS)
            unread -= {one for one in unread if await _paused_if_read(consumer, one, resumed)}
        await asyncio.sleep(max(until - time.monotonic(), 0))
        arrived, before = processed() - before, processed()
        if arrived:
            pause = shortest * min(arrived, GATHER_LIMIT)
        else:
            pause = min(pause * GROWTH, shortest * LIMIT)


async def _paused_if_read(
    consumer: AIOKafkaConsumer, partition: TopicPartition, since: int
) -> bool:
    """Pause a partition if it was fetched since then and all its events were read."""
    try:
        if (consumer.last_poll_timestamp(partition) or 0) < since:
            return False
        if await consumer.position(partition) < consumer.highwater(partition):
            return False
        consumer.pause(partition)
    except (IllegalStateError, AssertionError):  # another replica reads it now
        return False
    return True
