"""The unit of work: state, outbox, inbox and stored responses commit together or not at all."""

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from typing import TypeVar, cast

import pymongo
from pymongo.errors import BulkWriteError, DuplicateKeyError, PyMongoError

from shared.audit_trail import named_by, record
from shared.clock import wall_clock
from shared.contracts import Event
from shared.failpoint import failpoint
from shared.idempotency import IdempotencyKey, StoredResponse, find_response, keep_response
from shared.mongo import MAJORITY, SNAPSHOT, Database
from shared.outbox import outbox_rows
from shared.owners import Owners
from shared.settings import Settings
from shared.tracing import span
from shared.transactions import commit, is_conflict, is_duplicate
from shared.work import Origin, Stale, Work

__all__ = ["Busy", "Origin", "Run", "Stale", "UnitOfWork", "Work"]

C = TypeVar("C")
R = TypeVar("R")
S = TypeVar("S")

UseCase = Callable[[Work, C], Awaitable[R]]


class Busy(Exception):
    """The transaction could not be completed in the allowed time. Nothing was changed."""


class UnitOfWork:
    """Runs use cases, each in one transaction on the database of its service."""

    def __init__(
        self, database: Database, service: str, settings: Settings, owners: Owners
    ) -> None:
        self.database = database
        self.service = service
        self.settings = settings
        self.owners = owners

    async def run(
        self,
        use_case: UseCase[C, R],
        command: C,
        origin: Origin,
        *,
        idempotency_key: IdempotencyKey | None = None,
        inbox: str | None = None,
        within: float = 10.0,
    ) -> tuple[R | None, list[Event]]:
        """Run `use_case` and commit; return its result and the events it recorded.

        With an `idempotency_key`, a repeated request gets the stored result. With `inbox` (an event
        id), an event that was processed before does nothing and returns None. On concurrent updates
        the use case is retried, so it must have no effect outside `work`. Raises the use case's own
        errors (nothing is kept then), KeyReused, Busy after `within` seconds of conflicts, or the
        driver's error if the database is away.
        """
        deadline = time.monotonic() + within
        # The timeout covers all the driver's calls together.
        with span(use_case.__name__), pymongo.timeout(within):
            return await self._until_committed(
                lambda: self._attempt(
                    use_case, command, origin, idempotency_key, inbox, deadline=deadline
                ),
                deadline,
            )

    async def try_out(
        self, use_case: UseCase[C, R], command: C, origin: Origin, *, within: float = 10.0
    ) -> tuple[R, list[Event]]:
        """Return the result and events of `run` from a transaction that is rolled back."""

        async def attempt_once() -> tuple[R, list[Event]]:
            async with await self.database.client.start_session() as session:
                session.start_transaction(read_concern=SNAPSHOT)
                try:
                    work = Work(self.database, session, origin)
                    return await use_case(work, command), work.recorded
                finally:
                    with contextlib.suppress(PyMongoError):
                        await session.abort_transaction()

        with pymongo.timeout(within):
            return await self._until_committed(attempt_once, time.monotonic() + within)

    async def _until_committed(
        self, attempt_once: Callable[[], Awaitable[tuple[S, list[Event]]]], deadline: float
    ) -> tuple[S, list[Event]]:
        attempt = duplicates = 0
        while True:
            try:
                return await attempt_once()
            except (DuplicateKeyError, BulkWriteError) as error:
                if not is_duplicate(error):
                    raise
                # Another transaction took the id or the unique value first. The retried use case
                # finds it and refuses; a use case that does not look for it is our own error.
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
            attempt += 1
            if time.monotonic() > deadline:
                raise Busy("other writers got in the way for too long")
            await asyncio.sleep(random.uniform(0, min(0.002 * 2**attempt, 0.1)))  # noqa: S311

    async def _attempt(
        self,
        use_case: UseCase[C, R],
        command: C,
        origin: Origin,
        idempotency_key: IdempotencyKey | None,
        inbox: str | None,
        *,
        deadline: float,
    ) -> tuple[R | None, list[Event]]:
        async with await self.database.client.start_session() as session:
            session.start_transaction(read_concern=SNAPSHOT, write_concern=MAJORITY)
            try:
                work = Work(self.database, session, origin)
                if idempotency_key and (
                    stored := await find_response(self.database, idempotency_key, session)
                ):
                    await session.abort_transaction()
                    return stored.result(use_case), stored.events
                if inbox and await self.database.inbox.find_one({"_id": inbox}, session=session):
                    await session.abort_transaction()
                    return None, []
                result = await use_case(work, command)
                if inbox:
                    await self.database.inbox.insert_one(
                        {"_id": inbox, "at": wall_clock()}, session=session
                    )
                if idempotency_key:
                    response = StoredResponse.of(use_case, result, work.recorded)
                    await keep_response(self.database, idempotency_key, response, session)
                if origin.act and not origin.act.recorded:
                    named = (*work.objects, *named_by(work.recorded))
                    await record(self.database, origin.act, named, session)
                # Last, so that an aggregate's lock is held before its event gets its place in the
                # order.
                if work.recorded:
                    ids = (origin.correlation_id, origin.causation_id)
                    rows = outbox_rows(work.recorded, self.service, origin.now, *ids)
                    await self.database.outbox.insert_many(rows, session=session)
            except BaseException:
                with contextlib.suppress(PyMongoError):
                    await session.abort_transaction()
                raise
            failpoint("work.before-commit")
            await commit(session, deadline)
            if origin.act:
                origin.act.recorded = True
            failpoint("work.after-commit")
            return result, work.recorded


class Run:
    """The tools of a route, a handler or a job: `await run(renew_loan, command)` runs a use case.

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
    ) -> None:
        self._unit_of_work = unit_of_work
        self._idempotency_key = idempotency_key
        self._inbox = inbox
        self._within = within
        self.origin = origin
        self.events: list[Event] = []

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

    async def try_out(self, use_case: UseCase[C, R], command: C) -> tuple[R, list[Event]]:
        """Return the result and events that `use_case` would have now; keep nothing (a preview)."""
        return await self._unit_of_work.try_out(use_case, command, self.origin, within=self._within)

    async def __call__(self, use_case: UseCase[C, R], command: C) -> R:
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
        result, events = await self._unit_of_work.run(
            use_case,
            command,
            self.origin,
            idempotency_key=idempotency_key,
            inbox=inbox,
            within=self._within,
        )
        self.events.extend(events)
        return cast(R, result)
