"""Pauses between fetches, for a broker that answers fetches without events at once."""

import asyncio
import time
from collections.abc import Callable

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import IllegalStateError

LOOK_SECONDS = 0.002
"""Seconds between two looks whether everything has been read."""
GROWTH = 1.2
"""Factor by which a pause grows after one in which nothing came."""
LIMIT = 25
"""The longest of these pauses, as a multiple of the shortest."""
GATHER_LIMIT = 6
"""The longest pause after events, as a multiple of the shortest."""


async def rest_between_fetches(
    consumer: AIOKafkaConsumer, idle_poll_ms: int, processed: Callable[[], int]
) -> None:
    """Pause the partitions of a started consumer whenever all is read, until cancelled.

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
        resumed = int(time.time() * 1000)
        # There is no event for the answer to a fetch.
        while not await _is_all_read(consumer, resumed):  # noqa: ASYNC110
            await asyncio.sleep(LOOK_SECONDS)
        arrived, before = processed() - before, processed()
        if arrived:
            pause = shortest * min(arrived, GATHER_LIMIT)
        else:
            pause = min(pause * GROWTH, shortest * LIMIT)
        consumer.pause(*consumer.assignment())
        await asyncio.sleep(pause)


async def _is_all_read(consumer: AIOKafkaConsumer, since: int) -> bool:
    """Return whether each partition has been fetched since then, and all its events were read."""
    try:
        for partition in consumer.assignment():
            if (consumer.last_poll_timestamp(partition) or 0) < since:
                return False
            if consumer.highwater(partition) > await consumer.position(partition):
                return False
    except (IllegalStateError, AssertionError):  # the partition was taken away meanwhile
        return False
    return True
