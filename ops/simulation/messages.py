"""The events of acts as messages, with ids that are the same in equal simulations; on topics."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from ops.broker.offsets import Positions
from ops.simulation.acts import Act, Simulation
from ops.simulation.books import utc
from services.registry import NAMES
from services.settings import Settings
from shared.bus.topics import ensure_topics
from shared.clock import wall_clock
from shared.contracts import Event
from shared.contracts.circulation import FineAssessed, FinePaid, FineWaived
from shared.names import Names
from shared.outbox import event_headers
from shared.relay import outbox_producer, send_row

Advance = Callable[[date], None]
"""Called with each new day."""


@dataclass(frozen=True, slots=True)
class Message:
    """An event with its id, its business time, and the id of the request that led to it."""

    event: Event
    event_id: str
    at: datetime
    correlation_id: str


class Tally:
    """The numbers that a simulation knows of its events."""

    def __init__(self) -> None:
        self.events: Counter[str] = Counter()
        """Number of events by topic."""
        self.cents: Counter[str] = Counter()
        """Cents assessed, paid and waived."""

    def count(self, event: Event) -> None:
        """Count an event."""
        self.events[event.topic] += 1
        if isinstance(event, FineAssessed):
            self.cents["assessed"] += event.amount_cents
        elif isinstance(event, FinePaid):
            self.cents["paid"] += event.paid_cents
        elif isinstance(event, FineWaived):
            self.cents["waived"] += event.waived_cents


def messages_of(simulation: Simulation, tally: Tally, advance: Advance) -> Iterator[Message]:
    """Yield the messages of all acts, and count them."""
    day = date.min
    for number, act in enumerate(simulation.acts()):
        if act.at.date() > day:
            day = act.at.date()
            advance(day)
        yield from _messages(simulation, act, number, tally)


def _messages(simulation: Simulation, act: Act, number: int, tally: Tally) -> Iterator[Message]:
    correlation = simulation.plan.identifier(act.at, "act", number)
    for place, event in enumerate(act.events):
        tally.count(event)
        event_id = simulation.plan.identifier(act.at, "event", number, place)
        yield Message(event, event_id, utc(act.at), correlation)


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
