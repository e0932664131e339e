"""The unit of work: state, outbox, inbox and stored responses commit together or not at all."""

import asyncio
import contextlib
import random
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, Concatenate, ParamSpec, TypeAlias, TypeVar, cast

import pymongo
from pymongo.errors import BulkWriteError, DuplicateKeyError, PyMongoError

from shared.coalescer import Coalescer
from shared.contracts import Event
from shared.idempotency import EarlierEvents, IdempotencyKey, find_response
from shared.mongo import SNAPSHOT, BlockingDatabase, Database
from shared.owners import Owners
from shared.reads import Reads
from shared.settings import Settings
from shared.supervision import Commits
from shared.tracing import span
from shared.transactions import (
    GivenUp,
    LeftOut,
    Outcome,
    Step,
    commit_steps,
    is_conflict,
    is_duplicate,
    transaction,
)
from shared.work import Origin, Stale, Work

__all__ = ["Busy", "Origin", "Run", "Stale", "UnitOfWork", "UseCase", "Work", "brief"]

P = ParamSpec("P")
C = TypeVar("C")
R = TypeVar("R")
S = TypeVar("S")
F = TypeVar("F", bound=Callable[..., Any])

UseCase: TypeAlias = Callable[Concatenate[Work, P], R]
"""A plain function that loads, decides, saves and records in the transaction of `work`."""

AT_ONCE = 32
"""Transactions of a process that run at once; others wait for their turn."""
MOST_TOGETHER = 16
"""Most brief use cases of one transaction: others wait until it has ended."""
MOST_TURNS = 2
"""Most transactions from which a brief use case is left out before it is run alone."""

_brief: dict[Callable[..., Any], Callable[..., Reads] | None] = {}
"""The brief use cases, each with the function that returns its first read."""


def brief(first_read: Callable[..., Reads] | None = None) -> Callable[[F], F]:
    """Declare that a use case takes a few milliseconds and usually reads before it writes.

    Those that wait at the same moment share a transaction (docs/decisions/222). `first_read` takes
    the use case's arguments and returns what it reads first: the transaction then reads that for
    all of them in one round trip, and `work.read` of the same returns each its own part.
    """

    def declare(use_case: F) -> F:
        _brief[use_case] = first_read
        return use_case

    return declare


class Busy(Exception):
    """The transaction could not be completed in the allowed time. Nothing was changed."""


class UnitOfWork:
    """Runs use cases in transactions on the database of its service.

    A transaction runs in a thread of its own from its start to its commit, so that its round trips
    are not handed over between threads one by one (docs/decisions/200).
    """

    def __init__(
        self, database: Database, service: str, settings: Settings, owners: Owners
    ) -> None:
        self.database = database
        self.service = service
        self.settings = settings
        self.owners = owners
        self.commits = Commits()
        """For tasks that wait for what other use cases of this process leave to be done."""
        self.event_commits = Commits()
        """The commits among them that recorded events, for the relay."""
        self._store = BlockingDatabase(database)
        self._threads = ThreadPoolExecutor(AT_ONCE, "transaction")
        self._brief: Coalescer[Step, Outcome | Exception | LeftOut] = Coalescer(
            self._commit_brief, most=MOST_TOGETHER, at_once=1
        )
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def run(
        self,
        use_case: UseCase[[C], R],
        command: C,
        origin: Origin,
        *,
        idempotency_key: IdempotencyKey | None = None,
        inbox: str | None = None,
        within: float = 10.0,
    ) -> tuple[R | None, list[Event]]:
        """Run `use_case` and commit; return its result and the events it recorded or showed.

        With an `idempotency_key`, a repeated request gets the stored result. With `inbox` (an event
        id), an event that was processed before does nothing and returns None. On concurrent updates
        the use case is retried, so it must have no effect outside `work`. Raises the use case's own
        errors (nothing is kept then), KeyReused, Busy after `within` seconds of conflicts, or the
        driver's error if the database is away.
        """
        with span(use_case.__name__):
            deadline = time.monotonic() + within
            step = Step(use_case, (command,), {}, origin, deadline, idempotency_key, inbox)
            return await self.execute(step)

    async def execute(self, step: Step) -> Outcome:
        """Run a use case and commit; see `run`."""
        outcome = await self._run_brief(step) if step.use_case in _brief else None
        if outcome is None:
            outcomes = await self._in_order([step], step.use_case.__name__, step.deadline)
            outcome = outcomes[step]
        return outcome

    async def execute_all(self, steps: Sequence[Step], within: float) -> Mapping[Step, Outcome]:
        """Run the use cases of events in one transaction, in their order; return all outcomes.

        Each sees what those before it have written. Raises the first error as `run` does, with
        nothing changed.
        """
        return await self._in_order(steps, "together", time.monotonic() + within)

    async def _in_order(
        self, steps: Sequence[Step], name: str, deadline: float
    ) -> Mapping[Step, Outcome]:
        def attempt(waited_for: Callable[[], bool]) -> Mapping[Step, Outcome]:
            try:
                ends = commit_steps(self._store, self.service, steps, deadline, waited_for)
            except Exception as error:
                # Only now, since few requests are repeats: the response of the first one keeps a
                # repeat from its end, if what the first one changed did not (docs/decisions/220).
                step = steps[0]
                earlier = None
                if _may_be_repeated(step, error):
                    earlier = self._earlier(step, waited_for)
                if earlier is None:
                    raise
                return {step: earlier}
            return cast(Mapping[Step, Outcome], ends)

        # The timeout covers all the driver's calls together.
        with pymongo.timeout(_left(deadline)):
            outcomes = await self._until_committed(name, attempt, deadline)
        if any(events for _, events in outcomes.values()):
            self.event_commits.add()
        return outcomes

    async def _run_brief(self, step: Step) -> Outcome | None:
        """Run a brief use case, with others that wait; None: it is to be run alone."""
        step.first_read = _brief[step.use_case]
        outcome: Outcome | Exception | LeftOut = LeftOut.BEHIND
        turns = 0
        try:
            while outcome is LeftOut.BEHIND and turns < MOST_TURNS:
                outcome = await self._brief.get(step)
                turns += 1
        except asyncio.CancelledError:
            step.is_waited_for = False
            raise
        if isinstance(outcome, LeftOut):
            return None
        if isinstance(outcome, Exception):
            if not _may_be_repeated(step, outcome):
                raise outcome
            look = partial(self._earlier, step)
            with pymongo.timeout(_left(step.deadline)):
                earlier = await self._until_committed("earlier", look, step.deadline)
            if earlier is None:
                raise outcome
            outcome = earlier
        else:
            self.commits.add()
        if outcome[1]:
            self.event_commits.add()
        return outcome

    async def _commit_brief(
        self, steps: Sequence[Step]
    ) -> Mapping[Step, Outcome | Exception | LeftOut]:
        """Run brief use cases in one transaction, in which each decides apart."""
        now = time.monotonic()
        in_time = [step for step in steps if step.is_waited_for and step.deadline > now]
        deadline = min((step.deadline for step in in_time), default=now)

        def attempt(waited_for: Callable[[], bool]) -> Mapping[Step, Outcome | Exception | LeftOut]:
            return commit_steps(
                self._store, self.service, in_time, deadline, waited_for, apart=True
            )

        outcomes: Mapping[Step, Outcome | Exception | LeftOut] = {}
        # After any error each is run alone, and has its own.
        with contextlib.suppress(Exception), pymongo.timeout(_left(deadline)):
            outcomes = await self._in_thread(attempt)
        return {step: outcomes.get(step, LeftOut.APART) for step in steps}

    async def try_out(self, step: Step, within: float) -> Outcome:
        """Return the result and events of `execute` from a transaction that is rolled back."""

        def attempt(_waited_for: Callable[[], bool]) -> Outcome:
            with self._store.start_session() as session:
                session.start_transaction(read_concern=SNAPSHOT)
                try:
                    work = Work(self._store, session, step.origin)
                    return step.run(work), work.recorded
                finally:
                    with contextlib.suppress(PyMongoError):
                        session.abort_transaction()

        with pymongo.timeout(within):
            return await self._until_committed(step.use_case.__name__, attempt, step.deadline)

    async def _until_committed(
        self, name: str, attempt: Callable[[Callable[[], bool]], S], deadline: float
    ) -> S:
        """Attempt a transaction until it commits.

        After a conflict it is retried together with no other that had one: they would conflict
        again.
        """
        tries = duplicates = 0
        async with contextlib.AsyncExitStack() as turn:
            while True:
                try:
                    outcome = await self._in_thread(attempt)
                except (DuplicateKeyError, BulkWriteError) as error:
                    if not is_duplicate(error):
                        raise
                    # Another transaction took the id or the unique value first. The retried use
                    # case finds it and refuses; a use case that does not look for it is our own
                    # error.
                    duplicates += 1
                    if duplicates > 3:
                        raise
                except Stale:
                    pass
                except PyMongoError as error:
                    if not error.has_error_label("TransientTransactionError"):
                        raise
                    if time.monotonic() > deadline:
                        if is_conflict(error):
                            raise Busy from error
                        raise
                else:
                    self.commits.add()
                    return outcome
                tries += 1
                if tries == 1:
                    await turn.enter_async_context(self._turns[name])
                if time.monotonic() > deadline:
                    raise Busy("other writers got in the way for too long")
                await asyncio.sleep(random.uniform(0, min(0.002 * 2**tries, 0.1)))  # noqa: S311

    async def _in_thread(self, attempt: Callable[[Callable[[], bool]], S]) -> S:
        """Make an attempt in a thread. It commits nothing after this call was cancelled."""
        waited_for = True
        loop = asyncio.get_running_loop()
        call = partial(copy_context().run, attempt, lambda: waited_for)
        try:
            return await loop.run_in_executor(self._threads, call)
        finally:
            waited_for = False

    def _earlier(self, step: Step, waited_for: Callable[[], bool]) -> Outcome | None:
        """Return the stored response of a repeated request; None: it is no repeat."""
        key = cast(IdempotencyKey, step.idempotency_key)
        with transaction(self._store, step.deadline, waited_for) as session:
            stored = find_response(self._store, key, session)
        return None if stored is None else (stored.result(step.use_case), stored.events)


def _may_be_repeated(step: Step, end: Exception) -> bool:
    """Return whether this may be the end of a repeat.

    A repeat is refused, or meets a value that its first run took; any other error says nothing.
    """
    if isinstance(end, PyMongoError):
        ended = is_duplicate(end)
    else:
        ended = not isinstance(end, Stale | GivenUp)
    return ended and step.idempotency_key is not None


def _left(deadline: float) -> float:
    """Return the seconds to a time of the monotonic clock; some, if it has passed."""
    return max(deadline - time.monotonic(), 0.001)


class Run:
    """The tools of a route, a handler or a job: `await run(renew_loan, loan_id)` runs a use case.

    `owners` asks other services; never use it inside a use case.
    """

    def __init__(
        self,
        unit_of_work: UnitOfWork,
        origin: Origin,
        *,
        idempotency_key: IdempotencyKey | None = None,
        inbox: str | None = None,
        within: float = 10.0,
        execute: Callable[[Step], Awaitable[Outcome]] | None = None,
    ) -> None:
        self._unit_of_work = unit_of_work
        self._execute = execute or unit_of_work.execute
        self._idempotency_key = idempotency_key
        self._inbox = inbox
        self._within = within
        self.origin = origin
        self.events: list[Event] = []
        self.recorded_at: datetime | None = None
        """When a first run of this request recorded events that are repeated; None: it is new."""

    @property
    def now(self) -> datetime:
        """Business time, UTC."""
        return self.origin.now

    @property
    def database(self) -> Database:
        """The database, for reads outside any transaction."""
        return self._unit_of_work.database

    @property
    def event_id(self) -> str:
        """Id of the event being processed, the cause of this run's work. Empty in a request."""
        return self.origin.causation_id

    def in_steps(self) -> "Run":
        """Return a run without an inbox, for an event whose work takes many transactions.

        The inbox would let each use case run only once. Without it, if the process ends between two
        steps, the event is delivered again and the work continues from its own stored progress.
        """
        return Run(self._unit_of_work, self.origin, within=self._within)

    def because_of(self, origin: Origin) -> "Run":
        """Return a run for work that something else caused, at another time."""
        return Run(self._unit_of_work, origin, within=self._within)

    @property
    def settings(self) -> Settings:
        """The settings of the service."""
        return self._unit_of_work.settings

    @property
    def owners(self) -> Owners:
        """The client of the other services."""
        return self._unit_of_work.owners

    async def try_out(
        self, use_case: UseCase[P, R], *args: P.args, **kwargs: P.kwargs
    ) -> tuple[R, list[Event]]:
        """Return the result and events that `use_case` would have now; keep nothing (a preview)."""
        step = Step(use_case, args, kwargs, self.origin, time.monotonic() + self._within)
        return cast(tuple[R, list[Event]], await self._unit_of_work.try_out(step, self._within))

    async def __call__(self, use_case: UseCase[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run `use_case` in one transaction and return its result.

        A repeated request gets its first result. An event that was processed before does nothing
        and returns None: an event handler does not use the result.
        """
        idempotency_key = inbox = None
        if self._idempotency_key:
            idempotency_key = replace(
                self._idempotency_key, key=f"{self._idempotency_key.key}:{use_case.__name__}"
            )
        if self._inbox:
            inbox = f"{self._inbox}:{use_case.__name__}"
        with span(use_case.__name__):
            deadline = time.monotonic() + self._within
            step = Step(use_case, args, kwargs, self.origin, deadline, idempotency_key, inbox)
            result, events = await self._execute(step)
        self.events.extend(events)
        if events and isinstance(events, EarlierEvents):
            self.recorded_at = events.recorded_at
        return cast(R, result)
