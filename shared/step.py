"""One use case of a transaction, and what is stored besides its own writes."""

from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from opentelemetry.trace import Span, get_current_span

from shared.audit_trail import TRAIL, Act, entry_for, named_by
from shared.clock import wall_clock
from shared.contracts import Event
from shared.idempotency import IdempotencyKey, StoredResponse, keep_responses
from shared.mongo import BlockingDatabase, BlockingSession, Document
from shared.outbox import outbox_rows
from shared.telemetry import correlated
from shared.tracing import under
from shared.transactions import finished
from shared.work import Origin, Work

C = TypeVar("C")
R = TypeVar("R")

UseCase = Callable[[Work, C], Coroutine[Any, Any, R]]
Outcome = tuple[Any, list[Event]]
"""The result of a use case and the events that it recorded."""


@dataclass(eq=False)
class Step:
    """A use case to run, alone or in a transaction with others."""

    use_case: UseCase[Any, Any]
    command: Any
    origin: Origin
    deadline: float
    """Time of the monotonic clock."""
    idempotency_key: IdempotencyKey | None = None
    inbox: str | None = None
    """Id of the event and the use case, by which a repeat is known."""
    is_waited_for: bool = True
    """False once the caller has given up."""
    span: Span = field(default_factory=get_current_span)


@dataclass(frozen=True)
class Ended:
    """A use case that has ended, with what its transaction stores besides its own writes."""

    outcome: Outcome
    inbox: str | None
    response: tuple[IdempotencyKey, StoredResponse] | None
    act: Act | None
    entry: Document | None
    rows: Sequence[Document]
    """The outbox rows of its events."""


def run_step(step: Step, work: Work, service: str) -> Ended:
    """Run a use case to its end in this thread. Raises its errors."""
    origin = step.origin
    with correlated(origin.correlation_id), under(step.span):
        result = finished(step.use_case(work, step.command))
        ids = (origin.correlation_id, origin.causation_id)
        rows = outbox_rows(work.recorded, service, origin.now, *ids)
    response = entry = None
    if step.idempotency_key:
        response = (
            step.idempotency_key,
            StoredResponse.of(step.use_case, result, work.recorded),
        )
    act = origin.act if origin.act and not origin.act.recorded else None
    if act:
        entry = entry_for(act, (*work.objects, *named_by(work.recorded)))
    return Ended((result, work.recorded), step.inbox, response, act, entry, rows)


def store_ends(database: BlockingDatabase, ends: Sequence[Ended], session: BlockingSession) -> None:
    """Store what a transaction keeps of its use cases, in one round trip for each collection."""
    if inbox := [end.inbox for end in ends if end.inbox]:
        at = wall_clock()
        database.insert("inbox", [{"_id": one, "at": at} for one in inbox], session)
    if responses := [end.response for end in ends if end.response]:
        keep_responses(database, responses, session)
    if entries := [end.entry for end in ends if end.entry]:
        database.insert(TRAIL, entries, session)
    # Last, so that an aggregate's lock is held before its event gets its place in the order.
    if rows := [row for end in ends for row in end.rows]:
        database.insert("outbox", rows, session)


def note_commit(ends: Iterable[Ended]) -> None:
    """Mark the acts of use cases as recorded, because their transaction has committed."""
    for end in ends:
        if end.act:
            end.act.recorded = True
