"""A simulated city as messages on topics of its own."""

import asyncio
from typing import Any

from ops.broker.offsets import Positions
from ops.simulation.acts import Simulation
from ops.simulation.messages import Advance, Message, Tally, messages_of
from services.registry import NAMES
from services.settings import Settings
from shared.bus.topics import ensure_topics
from shared.clock import wall_clock
from shared.names import Names
from shared.outbox import event_headers
from shared.relay import outbox_producer, send_row

BATCH = 5_000
"""Messages that wait for their acknowledgements together."""


class TopicsInUseError(Exception):
    """The topics have messages already."""


async def publish(settings: Settings, simulation: Simulation, advance: Advance) -> Tally:
    """Publish the events on the topics of `settings`, which are created. Raises TopicsInUseError.

    Keys, headers and bodies are the same each time; Kafka's timestamps are those of now, because
    topics delete messages by them.
    """
    await ensure_topics(settings, NAMES)
    async with Positions(settings) as positions:
        if any((await positions.ends()).values()):
            raise TopicsInUseError
    tally, names = Tally(), Names(settings.topic_prefix)
    producer = outbox_producer(settings, "carrel-simulate")
    await producer.start()
    try:
        sent: list[asyncio.Future[Any]] = []
        for message in messages_of(simulation, tally, advance):
            sent.append(await send_row(producer, row_of(message), names))
            if len(sent) == BATCH:
                await asyncio.gather(*sent)
                sent.clear()
        await asyncio.gather(*sent)
    finally:
        await producer.stop()
    return tally


def row_of(message: Message) -> dict[str, Any]:
    """Return a message as the relay sends it."""
    event, request = message.event, message.correlation_id
    return {
        "topic": event.topic,
        "key": event.key,
        "headers": event_headers(event, message.event_id, message.at, request, request),
        "body": event.body(),
        "recorded_at": wall_clock(),
    }
