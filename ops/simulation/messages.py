"""The events of acts as messages, with ids that are the same in equal simulations."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime

from ops.simulation.acts import Act, Simulation
from ops.simulation.books import utc
from shared.contracts import Event
from shared.contracts.circulation import FineAssessed, FinePaid, FineWaived

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
