"""The unit of work: state, outbox, inbox and stored answers commit together or not at all."""

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeVar, cast, get_type_hints

import orjson
import pymongo
from bson import Binary
from pydantic import TypeAdapter
from pymongo import ASCENDING, IndexModel, ReplaceOne
from pymongo.errors import BulkWriteError, DuplicateKeyError, PyMongoError

from shared.clock import wall_clock
from shared.contracts import Event, published, schema_uri
from shared.failpoint import failpoint
from shared.ids import new_id
from shared.mongo import (
    MAJORITY,
    SNAPSHOT,
    ClientSession,
    Database,
    Document,
    Indexes,
    from_document,
    to_document,
)
from shared.owners import Owners
from shared.settings import Settings
from shared.tracing import span, trace_headers

V = TypeVar("V")
C = TypeVar("C")
R = TypeVar("R")
S = TypeVar("S")

UseCase = Callable[["Work", C], Awaitable[R]]
_DUPLICATE_KEY = 11000
MAX_EVENT_BYTES = 900_000  # Kafka's usual limit is 1 MiB for a whole batch


def chassis_indexes(outbox_days: int) -> Indexes:
    """Return the indexes of the collections that the chassis keeps in every service's database."""
    return {
        # Pending rows are read through this index: equal keys are in the order of insertion,
        # which for one aggregate is the order of its changes.
        "outbox": [
            IndexModel([("pending", ASCENDING)], sparse=True),
            IndexModel([("published_at", ASCENDING)], expireAfterSeconds=outbox_days * 86_400),
        ],
        "inbox": [IndexModel([("at", ASCENDING)], expireAfterSeconds=30 * 86_400)],
        "answers": [IndexModel([("at", ASCENDING)], expireAfterSeconds=86_400)],
        "leases": [],
        "known_keys": [],
    }


class Stale(Exception):
    """Another writer changed the value since it was read; the transaction is retried."""


class Busy(Exception):
    """The transaction could not be completed in the allowed time. Nothing was changed."""


class KeyReused(Exception):
    """An idempotency key was used again for a different request."""


@dataclass(frozen=True)
class Origin:
    """The origin of a unit of work: its time and ids, which its events carry on."""

    now: datetime
    """Business time, UTC."""
    correlation_id: str = field(default_factory=new_id)
    causation_id: str = ""


@dataclass(frozen=True)
class IdempotencyKey:
    """An idempotency key: a second run of the same request gets the answer of the first."""

    key: str
    """Unique within the service: `<caller>:<Idempotency-Key>`."""
    fingerprint: str
    """Digest of the request; the same key with another digest is refused."""


class Work:
    """The tools of a use case: the reads and writes of one transaction, and its events.

    Values are frozen dataclasses with an `id`. Those that `save` replaces also have a `version`,
    which each change raises by one.
    """

    def __init__(self, database: Database, session: ClientSession, origin: Origin) -> None:
        self._database = database
        self._session = session
        self.origin = origin
        self.recorded: list[Event] = []

    @property
    def now(self) -> datetime:
        """Business time, UTC."""
        return self.origin.now

    def record(self, event: Event) -> None:
        """Publish `event` if, and only if, this transaction commits."""
        self.recorded.append(event)

    async def find(self, kind: type[V], collection: str, query: Mapping[str, Any]) -> V | None:
        """Return the first value that matches, or None."""
        document = await self._database[collection].find_one(query, session=self._session)
        return None if document is None else from_document(kind, document)

    async def all(
        self,
        kind: type[V],
        collection: str,
        query: Mapping[str, Any],
        *,
        sort: Sequence[tuple[str, int]] = (),
        limit: int = 0,
        hint: str = "",
    ) -> list[V]:
        """Return the values that match, sorted, at most `limit` (0: all), by the index `hint`."""
        cursor = self._database[collection].find(query, session=self._session, limit=limit)
        if sort:
            cursor = cursor.sort(list(sort))
        if hint:
            cursor = cursor.hint(hint)
        return [from_document(kind, document) async for document in cursor]

    async def count(self, collection: str, query: Mapping[str, Any]) -> int:
        """Return the number of documents that match."""
        return await self._database[collection].count_documents(query, session=self._session)

    async def add(self, collection: str, *values: Any) -> None:
        """Insert values in one round trip.

        If an id or unique value is taken, the transaction is retried (see `UnitOfWork.run`).
        """
        if values:
            documents = [to_document(value) for value in values]
            await self._database[collection].insert_many(documents, session=self._session)

    async def save(self, collection: str, *values: Any) -> None:
        """Replace the previous version of each value, in the given order, in one round trip.

        Raises Stale if one of them is not stored at that version.
        """
        documents = [to_document(value) for value in values]
        writes = [
            ReplaceOne({"_id": document["_id"], "version": document["version"] - 1}, document)
            for document in documents
        ]
        if writes:
            result = await self._database[collection].bulk_write(writes, session=self._session)
            if result.matched_count < len(writes):
                raise Stale(f"one of {len(writes)} {collection} is no longer at its version")

    async def save_if_newer(self, collection: str, value: Any) -> bool:
        """Store `value` unless this or a newer version is there; return whether it was stored."""
        document = to_document(value)
        stored = await self._database[collection].find_one(
            {"_id": document["_id"]}, {"version": 1}, session=self._session
        )
        if stored is None:
            await self._database[collection].insert_one(document, session=self._session)
            return True
        if stored["version"] >= document["version"]:
            return False
        await self._database[collection].replace_one(
            {"_id": document["_id"], "version": stored["version"]}, document, session=self._session
        )
        return True

    async def update(
        self,
        collection: str,
        query: Mapping[str, Any],
        change: Mapping[str, Any],
        *,
        upsert: bool = False,
    ) -> int:
        """Update one document that matches `query`; return how many were changed or inserted."""
        result = await self._database[collection].update_one(
            query, change, upsert=upsert, session=self._session
        )
        return int(result.matched_count) + int(result.upserted_id is not None)

    async def delete(self, collection: str, query: Mapping[str, Any]) -> int:
        """Delete every document that matches; return the number deleted."""
        result = await self._database[collection].delete_many(query, session=self._session)
        return int(result.deleted_count)


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
                if not _is_duplicate(error):
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
        client = self.database.client
        async with await client.start_session() as session:
            session.start_transaction(read_concern=SNAPSHOT, write_concern=MAJORITY)
            try:
                work = Work(self.database, session, origin)
                if idempotency_key and (answer := await self._answer(idempotency_key, session)):
                    await session.abort_transaction()
                    return _stored_result(use_case, answer["result"]), _stored_events(answer)
                if inbox and await self.database.inbox.find_one({"_id": inbox}, session=session):
                    await session.abort_transaction()
                    return None, []
                result = await use_case(work, command)
                if inbox:
                    await self.database.inbox.insert_one(
                        {"_id": inbox, "at": wall_clock()}, session=session
                    )
                if idempotency_key:
                    await self._keep_answer(
                        idempotency_key, use_case, result, work.recorded, session
                    )
                # Last, so that an aggregate's lock is held before its event gets its place in the
                # order.
                if work.recorded:
                    await self.database.outbox.insert_many(
                        [self._row(event, origin) for event in work.recorded], session=session
                    )
            except BaseException:
                with contextlib.suppress(PyMongoError):
                    await session.abort_transaction()
                raise
            failpoint("work.before-commit")
            await _commit(session, deadline)
            failpoint("work.after-commit")
            return result, work.recorded

    def _row(self, event: Event, origin: Origin) -> Document:
        body = event.body()
        if len(body) > MAX_EVENT_BYTES:
            raise ValueError(f"{event.topic} of {event.subject} has {len(body)} bytes")
        event_id = new_id()
        headers = {
            "content-type": "application/json",
            "ce_specversion": "1.0",
            "ce_id": event_id,
            "ce_type": event.topic,
            "ce_source": f"/services/{self.service}",
            "ce_subject": event.subject,
            "ce_time": origin.now.isoformat().replace("+00:00", "Z"),
            "ce_dataschema": schema_uri(event.topic),
            "ce_correlationid": origin.correlation_id,
            "ce_causationid": origin.causation_id or origin.correlation_id,
            **trace_headers(),
        }
        return {
            "_id": event_id,
            "topic": event.topic,
            "key": event.key,
            "headers": headers,
            "body": Binary(body),
            "recorded_at": wall_clock(),
            "pending": True,
        }

    async def _answer(
        self, idempotency_key: IdempotencyKey, session: ClientSession
    ) -> Document | None:
        answer = await self.database.answers.find_one({"_id": idempotency_key.key}, session=session)
        if answer and answer["fingerprint"] != idempotency_key.fingerprint:
            raise KeyReused(idempotency_key.key)
        return answer

    async def _keep_answer(
        self,
        idempotency_key: IdempotencyKey,
        use_case: UseCase[C, R],
        result: R,
        events: list[Event],
        session: ClientSession,
    ) -> None:
        answer = {
            "fingerprint": idempotency_key.fingerprint,
            "result": Binary(_result_adapter(use_case).dump_json(result)),
            "events": [{"topic": event.topic, "body": event.body()} for event in events],
        }
        # Timed by the database's clock, which also ends its time: our clock may be wrong.
        await self.database.answers.update_one(
            {"_id": idempotency_key.key},
            {"$setOnInsert": answer, "$currentDate": {"at": True}},
            upsert=True,
            session=session,
        )


def _is_duplicate(error: PyMongoError) -> bool:
    """Return whether an id or a unique value was taken; a bulk write reports the first error."""
    if isinstance(error, BulkWriteError):
        faults = (error.details or {}).get("writeErrors", [])
        return any(fault.get("code") == _DUPLICATE_KEY for fault in faults)
    return isinstance(error, DuplicateKeyError)


def is_conflict(error: PyMongoError) -> bool:
    """Return whether a transaction failed on another writer, not on a database that is away."""
    return getattr(error, "code", None) == 112  # WriteConflict


async def _commit(session: ClientSession, deadline: float) -> None:
    """Commit, and repeat while the outcome is unknown: a commit may be repeated safely."""
    while True:
        try:
            await session.commit_transaction()
            return
        except PyMongoError as error:
            unknown = error.has_error_label("UnknownTransactionCommitResult")
            if not unknown or time.monotonic() > deadline:
                raise
        await asyncio.sleep(0.02)


_adapters: dict[Any, TypeAdapter[Any]] = {}


def _result_adapter(use_case: UseCase[Any, R]) -> TypeAdapter[R]:
    if use_case not in _adapters:
        _adapters[use_case] = TypeAdapter(get_type_hints(use_case)["return"])
    return _adapters[use_case]


def _stored_result(use_case: UseCase[Any, R], stored: bytes) -> R:
    return _result_adapter(use_case).validate_json(stored)


def _stored_events(answer: Document) -> list[Event]:
    contracts = published()
    return [
        contracts[row["topic"]].model_validate(orjson.loads(row["body"]))
        for row in answer["events"]
    ]


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
