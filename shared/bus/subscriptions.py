"""The subscriptions of a service: which function handles which event, and how it is retried."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from aiokafka import ConsumerRecord

from shared.bus.retry import DEFAULT, RetryPolicy
from shared.clock import parse_instant
from shared.contracts import Event, contract_name, schema_uri
from shared.ids import new_id
from shared.mongo import Database
from shared.unit_of_work import Origin

Record: TypeAlias = ConsumerRecord[Any, Any]
Handler = Callable[..., Any]
Apply = Callable[[Database, Sequence[Any]], Awaitable[None]]
H = TypeVar("H", bound=Handler)


@dataclass(frozen=True)
class Subscription:
    """An event type with the function that handles it."""

    contract: type[Event]
    handler: Handler
    retry: RetryPolicy


def _events_of(contract: type[Event]) -> Iterator[type[Event]]:
    if contract.topic:
        yield contract
    for derived in contract.__subclasses__():
        yield from _events_of(derived)


class Subscriptions:
    """The subscriptions of a subject or a service: `@subscriptions.to(BranchClosed)`.

    A handler is `async def name(event, run)`. It runs one use case, or asks another service and
    then runs one. `run.now` is the event's business time.

    With `apply`, the fetched messages are processed in batches. Then a handler is
    `def name(event, origin)`: it returns the changes that an event of that origin makes, and raises
    ValueError for an event at fault. `apply` makes all changes of a batch; it must allow that some
    of them were made before, in any order.
    """

    def __init__(self, *parts: "Subscriptions", apply: Apply | None = None) -> None:
        self.apply = apply
        self.by_topic: dict[str, Subscription] = {}
        for part in parts:
            self._add(*part.by_topic.values())

    def to(self, *contracts: type[Event], retry: RetryPolicy = DEFAULT) -> Callable[[H], H]:
        """Subscribe a handler to each of these event types; a snapshot stands for all its events.

        `@subscriptions.to(BranchSnapshot)` is for all events of branches.
        """

        def subscribe(handler: H) -> H:
            events = (event for contract in contracts for event in _events_of(contract))
            self._add(*(Subscription(event, handler, retry) for event in events))
            return handler

        return subscribe

    def _add(self, *subscriptions: Subscription) -> None:
        for subscription in subscriptions:
            topic = subscription.contract.topic
            if topic in self.by_topic:
                raise TypeError(f"{topic} has two handlers")
            self.by_topic[topic] = subscription

    def read(self, record: Record) -> tuple[Event, str, Origin]:
        """Return the event of a message, its id, and the origin of the work that it causes.

        Raises ValueError for a message at fault.
        """
        event_id, origin = _origin_of(record)
        contract = self.by_topic[record.topic].contract
        return contract.model_validate_json(record.value or b""), event_id, origin

    def changes(self, record: Record) -> Sequence[Any]:
        """Return the changes that a message makes, with `apply`. Raises ValueError for a fault."""
        event, _, origin = self.read(record)
        changes: Sequence[Any] = self.by_topic[record.topic].handler(event, origin)
        return changes


def _origin_of(record: Record) -> tuple[str, Origin]:
    """Return the event's id and the origin of its work. Raises ValueError for bad headers."""
    if any(value is None for _, value in record.headers):
        raise ValueError("a header has no value")
    headers = {name: value.decode() for name, value in record.headers}
    event_id, instant = headers.get("ce_id", ""), headers.get("ce_time", "")
    if not event_id or not instant:
        raise ValueError("the headers ce_id and ce_time are missing")
    # Another type, or a later version, may look like ours and mean something else.
    ours = {
        "ce_type": (record.topic,),
        # Events that were recorded before the first form was used have the second.
        "ce_dataschema": (schema_uri(record.topic), contract_name(record.topic)),
    }
    if any(headers.get(name, forms[0]) not in forms for name, forms in ours.items()):
        raise ValueError("the message is of another type or version than its topic")
    origin = Origin(
        now=parse_instant(instant),
        correlation_id=headers.get("ce_correlationid") or new_id(),
        causation_id=event_id,
    )
    return event_id, origin
