"""Transactions on MongoDB: use cases that commit together, or not at all.

`commit_steps` is the one way in which use cases run: a request alone, brief requests that wait at
the same moment, or the events of a batch (docs/architecture.md has the diagram).
"""

import contextlib
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, cast

from opentelemetry.trace import Span, get_current_span
from pymongo.errors import BulkWriteError, DuplicateKeyError, PyMongoError

from shared.audit_trail import TRAIL, Act, entry_for, named_by
from shared.clock import wall_clock
from shared.contracts import Event
from shared.failpoint import failpoint
from shared.idempotency import IdempotencyKey, StoredResponse, keep_responses
from shared.mongo import MAJORITY, SNAPSHOT, BlockingDatabase, BlockingSession, Document
from shared.outbox import outbox_rows
from shared.reads import Reads, Together
from shared.telemetry import correlated
from shared.tracing import under
from shared.work import Apart, Origin, SharedWork, Stale, Work

Outcome = tuple[Any, list[Event]]
"""The result of a use case and the events that it recorded or showed."""

DUPLICATE_KEY = 11000
"""MongoDB's error code for an id or a unique value that is taken."""


class GivenUp(Exception):
    """Nobody waits for this transaction any more, so it does not commit."""


class LeftOut(Enum):
    """The reason why a use case was left out of a transaction; it has changed nothing."""

    APART = auto()
    """It can't share one, or all were undone: it is to be run alone."""
    BEHIND = auto()
    """One before it writes the same document: the next transaction may take it."""


@dataclass(eq=False)
class Step:
    """A use case to run, alone or in a transaction with others."""

    use_case: Callable[..., Any]
    """A function of `Work` and its arguments."""
    args: tuple[Any, ...] = field(repr=False)
    kwargs: Mapping[str, Any] = field(repr=False)
    """They may be personal, or secret."""
    origin: Origin
    deadline: float
    """Time of the monotonic clock."""
    idempotency_key: IdempotencyKey | None = None
    inbox: str | None = None
    """Id of the event and the use case, by which a repeat is known."""
    is_waited_for: bool = True
    """False once the caller has given up."""
    span: Span = field(default_factory=get_current_span)
    first_read: Callable[..., Reads] | None = None
    """Returns the first read of the use case from its arguments; None: it declares none."""

    def run(self, work: Work) -> Any:
        """Call the use case."""
        return self.use_case(work, *self.args, **self.kwargs)


@dataclass(frozen=True)
class _Ended:
    """A use case that has ended, with what its transaction stores besides its own writes."""

    step: Step
    work: Work
    outcome: Outcome
    rows: Sequence[Document]
    """The outbox rows of its events."""
    response: tuple[IdempotencyKey, StoredResponse] | None
    act: Act | None
    entry: Document | None


def commit_steps(
    database: BlockingDatabase,
    service: str,
    steps: Sequence[Step],
    deadline: float,
    waited_for: Callable[[], bool],
    *,
    apart: bool = False,
) -> Mapping[Step, Outcome | Exception | LeftOut]:
    """Run use cases in one transaction, in their order, and commit it; return how each has ended.

    A step whose event was processed before does nothing. Otherwise each sees what those before it
    have written, and the first error undoes all and is raised.

    With `apart` each decides as in a concurrent transaction of its own: it sees nothing of the
    others, its refusal concerns it alone, and of two that write the same document the second is
    left out. After an error that is raised nothing has been changed, and none was run.
    """
    outcomes: dict[Step, Outcome | Exception | LeftOut] = {}
    ended: list[_Ended] = []
    is_sent = False
    try:
        with transaction(database, deadline, waited_for) as session:
            known = _processed(database, steps, session)
            read = _read_first(database, steps, session) if apart else {}
            for step in steps:
                if step.inbox in known:
                    outcomes[step] = (None, [])  # a repeat commits too (docs/decisions/220)
                    continue
                work = (SharedWork if apart else Work)(database, session, step.origin)
                if isinstance(work, SharedWork):
                    work.first_read = read.get(step)
                try:
                    ended.append(_run(step, work, service))
                except Apart:
                    outcomes[step] = LeftOut.APART
                except Exception as refusal:
                    if not apart or isinstance(refusal, PyMongoError | Stale):
                        raise
                    outcomes[step] = refusal
            if apart:
                ended = _send(database, ended, outcomes, session)
            _store_ends(database, ended, session)
            is_sent = True
    except PyMongoError as error:
        if not apart or not is_sent or error.has_error_label("TransientTransactionError"):
            raise
        # It may have committed, so none of them may be run again.
        return dict.fromkeys((one.step for one in ended), error)
    for one in ended:
        outcomes[one.step] = one.outcome
        if one.act:
            one.act.recorded = True
    return outcomes


def _processed(
    database: BlockingDatabase, steps: Sequence[Step], session: BlockingSession
) -> set[str | None]:
    """Return the inbox ids of the steps whose events were processed before."""
    ids = [step.inbox for step in steps if step.inbox]
    if not ids:
        return set()
    return {row["_id"] for row in database["inbox"].find({"_id": {"$in": ids}}, session=session)}


def _read_first(
    database: BlockingDatabase, steps: Sequence[Step], session: BlockingSession
) -> dict[Step, tuple[Reads, Document | None]]:
    """Make the declared first reads of several use cases, in one round trip for each shape."""
    alike: defaultdict[object, list[tuple[Step, Reads]]] = defaultdict(list)
    for step in steps:
        if step.first_read:
            reads = step.first_read(*step.args, **step.kwargs)
            alike[reads.shape].append((step, reads))
    found: dict[Step, tuple[Reads, Document | None]] = {}
    for some in alike.values():
        if len(some) > 1:
            with contextlib.suppress(ValueError):  # each reads for itself then
                together = Together([reads for _, reads in some])
                document = database.first(together.collection, together.pipeline, session)
                parts = together.parts(document)
                found |= {step: (r, part) for (step, r), part in zip(some, parts, strict=True)}
    return found


def _run(step: Step, work: Work, service: str) -> _Ended:
    """Run a use case to its end in this thread. Raises its errors."""
    origin = step.origin
    with correlated(origin.correlation_id), under(step.span):
        result = step.run(work)
        ids = (origin.correlation_id, origin.causation_id)
        rows = outbox_rows(work.recorded, service, origin.now, *ids)
    events = [*work.recorded, *work.shown]
    response = entry = None
    if key := step.idempotency_key:
        response = (key, StoredResponse.of(step.use_case, result, events))
    act = origin.act if origin.act and not origin.act.recorded else None
    if act:
        entry = entry_for(act, (*work.objects, *named_by(work.recorded)))
    return _Ended(step, work, (result, events), rows, response, act, entry)


def _send(
    database: BlockingDatabase,
    ended: Sequence[_Ended],
    outcomes: dict[Step, Outcome | Exception | LeftOut],
    session: BlockingSession,
) -> list[_Ended]:
    """Send the kept writes, in one round trip for each collection; return whose were sent.

    A step that writes a document which one before it writes, or that nobody waits for, is left out.
    """
    taken: list[_Ended] = []
    written: set[tuple[str, str]] = set()
    touched: set[tuple[str, str]] = set()
    writes: dict[tuple[str, str], list[Document]] = {}
    for one in ended:
        work = cast(SharedWork, one.work)
        own, touches = work.written("insert", "update"), work.written("touch")
        meets = written & (own | touches) or touched & own
        if meets or not one.step.is_waited_for:
            outcomes[one.step] = LeftOut.BEHIND
            continue
        taken.append(one)
        for command, collection, more in work.kept:
            new = more
            if command == "touch":
                new = [each for each in more if (collection, each["q"]["_id"]) not in touched]
            writes.setdefault((command, collection), []).extend(new)
        written |= own
        touched |= touches
    for (command, collection), documents in writes.items():
        if command == "insert":
            database.insert(collection, documents, session)
        elif database.update(collection, documents, session) < len(documents):
            raise Stale(f"one of {len(documents)} {collection} is no longer at its version")
    return taken


def _store_ends(
    database: BlockingDatabase, ended: Sequence[_Ended], session: BlockingSession
) -> None:
    """Store what a transaction keeps of its use cases, in one round trip for each collection."""
    if inbox := [one.step.inbox for one in ended if one.step.inbox]:
        at = wall_clock()
        database.insert("inbox", [{"_id": each, "at": at} for each in inbox], session)
    if responses := [one.response for one in ended if one.response]:
        keep_responses(database, responses, session)
    if entries := [one.entry for one in ended if one.entry]:
        database.insert(TRAIL, entries, session)
    # Last, so that an aggregate's lock is held before its event gets its place in the order.
    if rows := [row for one in ended for row in one.rows]:
        database.insert("outbox", rows, session)


@contextlib.contextmanager
def transaction(
    database: BlockingDatabase, deadline: float, waited_for: Callable[[], bool]
) -> Iterator[BlockingSession]:
    """Yield the session of a transaction; commit it unless the block raises.

    Raises GivenUp instead of committing if nobody waits for it any more. A majority of
    the nodes is sure to have what the block has read only after the commit.
    """
    with database.start_session() as session:
        session.start_transaction(read_concern=SNAPSHOT, write_concern=MAJORITY)
        try:
            yield session
            if not waited_for():
                raise GivenUp
        except BaseException:
            with contextlib.suppress(PyMongoError):
                session.abort_transaction()
            raise
        failpoint("work.before-commit")
        commit(session, deadline)
        failpoint("work.after-commit")


def commit(session: BlockingSession, deadline: float) -> None:
    """Commit, and repeat while the outcome is unknown: a commit may be repeated safely."""
    while True:
        try:
            session.commit_transaction()
            return
        except PyMongoError as error:
            unknown = error.has_error_label("UnknownTransactionCommitResult")
            if not unknown or time.monotonic() > deadline:
                raise
        time.sleep(0.02)  # in the thread of this transaction alone


def is_duplicate(error: PyMongoError) -> bool:
    """Return whether an id or a unique value was taken; a bulk write reports the first error."""
    if isinstance(error, BulkWriteError):
        faults = (error.details or {}).get("writeErrors", [])
        return any(fault.get("code") == DUPLICATE_KEY for fault in faults)
    return isinstance(error, DuplicateKeyError)


def is_conflict(error: PyMongoError) -> bool:
    """Return whether a transaction failed on another writer, not on a database that is away."""
    return getattr(error, "code", None) == 112  # WriteConflict
