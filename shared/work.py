"""The work of one transaction: what a use case reads, writes and records."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from shared.audit_trail import Act
from shared.contracts import Event
from shared.ids import new_id
from shared.mongo import (
    BlockingDatabase,
    BlockingSession,
    Document,
    from_document,
    to_document,
)
from shared.reads import Reads

V = TypeVar("V")


class Stale(Exception):
    """Another writer changed the value since it was read; the transaction is retried."""


class Apart(Exception):
    """A use case can't share a transaction with others."""


@dataclass(frozen=True)
class Origin:
    """The origin of a unit of work: its time and ids, which its events repeat."""

    now: datetime
    """Business time, UTC."""
    correlation_id: str = field(default_factory=new_id)
    causation_id: str = ""
    act: Act | None = None
    """Act that the audit trail records with the first transaction."""


class Work:
    """The tools of a use case: the reads and writes of one transaction, and its events.

    A use case is a plain function that runs in a thread of its own, where these calls block until
    they are answered (docs/decisions/200).

    Values are frozen dataclasses with an `id`. Those that `save` replaces also have a `version`,
    which each change raises by one.
    """

    def __init__(
        self, database: BlockingDatabase, session: BlockingSession, origin: Origin
    ) -> None:
        self._database = database
        self._session = session
        self.origin = origin
        self.recorded: list[Event] = []
        self.shown: list[Event] = []
        self.objects: list[str] = []

    @property
    def now(self) -> datetime:
        """Business time, UTC."""
        return self.origin.now

    def record(self, event: Event) -> None:
        """Publish `event` if, and only if, this transaction commits."""
        self.recorded.append(event)

    def show(self, event: Event) -> None:
        """Give the caller an event that an earlier transaction recorded, and do not publish it.

        A step that is repeated changes nothing, and has to tell its caller what it changed at
        first: without that, who asked again would not read their own write (`carrel-changes`).
        """
        self.shown.append(event)

    def concern(self, object_id: str) -> None:
        """Name an object of this act for the audit trail; those of its events are named anyway."""
        self.objects.append(object_id)

    def find(self, kind: type[V], collection: str, query: Mapping[str, Any]) -> V | None:
        """Return the first value that matches, or None."""
        self._before_read(collection)
        document = self._database[collection].find_one(query, session=self._session)
        return None if document is None else from_document(kind, document)

    def all(
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
        self._before_read(collection)
        cursor = self._database[collection].find(query, session=self._session, limit=limit)
        if sort:
            cursor = cursor.sort(list(sort))
        if hint:
            cursor = cursor.hint(hint)
        return [from_document(kind, document) for document in cursor]

    def read(self, reads: Reads) -> Document | None:
        """Return the root document, with the documents of each other read by its name.

        All reads together take one round trip. None if there is no root document.
        """
        self._before_read(*reads.collections)
        return self._database.first(reads.root.collection, reads.pipeline, self._session)

    def distinct(self, collection: str, field: str, query: Mapping[str, Any]) -> list[Any]:
        """Return the different values of a field in the documents that match."""
        self._before_read(collection)
        found: list[Any] = self._database[collection].distinct(field, query, session=self._session)
        return found

    def count(self, collection: str, query: Mapping[str, Any]) -> int:
        """Return the number of documents that match."""
        self._before_read(collection)
        return self._database[collection].count_documents(query, session=self._session)

    def add(self, collection: str, *values: Any) -> None:
        """Insert values in one round trip.

        If an id or unique value is taken, the transaction is retried (see `UnitOfWork.run`).
        """
        if values:
            documents = [to_document(value) for value in values]
            self._insert(collection, documents)

    def save(self, collection: str, *values: Any) -> None:
        """Replace the previous version of each value, in the given order, in one round trip.

        Raises Stale if one of them is not stored at that version.
        """
        documents = [to_document(value) for value in values]
        writes = [
            {"q": {"_id": document["_id"], "version": document["version"] - 1}, "u": document}
            for document in documents
        ]
        if writes and self._update(collection, writes) < len(writes):
            raise Stale(f"one of {len(writes)} {collection} is no longer at its version")

    def put(self, collection: str, *values: Any) -> None:
        """Insert the values at version 1, and replace the previous version of the others."""
        self.add(collection, *(one for one in values if one.version == 1))
        self.save(collection, *(one for one in values if one.version != 1))

    def save_if_newer(self, collection: str, value: Any) -> bool:
        """Store `value` unless this or a newer version is there; return whether it was stored."""
        self._before_write_by_query()
        document = to_document(value)
        stored = self._database[collection].find_one(
            {"_id": document["_id"]}, {"version": 1}, session=self._session
        )
        if stored is None:
            self._insert(collection, [document])
            return True
        if stored["version"] >= document["version"]:
            return False
        query = {"_id": document["_id"], "version": stored["version"]}
        self._update(collection, [{"q": query, "u": document}])
        return True

    def update(
        self,
        collection: str,
        query: Mapping[str, Any],
        change: Mapping[str, Any],
        *,
        upsert: bool = False,
    ) -> int:
        """Update one document that matches `query`; return how many were changed or inserted."""
        self._before_write_by_query()
        write = {"q": query, "u": change, "upsert": upsert}
        return self._update(collection, [write])

    def update_each(self, collection: str, ids: Collection[str], change: Mapping[str, Any]) -> None:
        """Update the documents of these ids, or insert them, in one round trip."""
        if writes := _upserts(ids, change):
            self._update(collection, writes)

    def touch(self, collection: str, ids: Collection[str], change: Mapping[str, Any]) -> None:
        """Do as `update_each` for a change that serves only to conflict with other transactions.

        Use cases that share a transaction may touch one document, which is then changed once.
        """
        if writes := _upserts(ids, change):
            self._touch(collection, writes)

    def delete(self, collection: str, query: Mapping[str, Any]) -> int:
        """Delete every document that matches; return the number deleted."""
        self._before_write_by_query()
        result = self._database[collection].delete_many(query, session=self._session)
        return int(result.deleted_count)

    # SharedWork overrides what follows.

    def _before_read(self, *collections: str) -> None:
        """Prepare for a read of some collections."""

    def _before_write_by_query(self) -> None:
        """Prepare for a write of documents whose ids it may not say."""

    def _insert(self, collection: str, documents: Sequence[Document]) -> None:
        self._database.insert(collection, documents, self._session)

    def _update(self, collection: str, updates: Sequence[Document]) -> int:
        """Make updates that name their document by its id, or after `_before_write_by_query`."""
        return self._database.update(collection, updates, self._session)

    def _touch(self, collection: str, updates: Sequence[Document]) -> None:
        self._update(collection, updates)


def _upserts(ids: Collection[str], change: Mapping[str, Any]) -> list[Document]:
    return [{"q": {"_id": id_}, "u": change, "upsert": True} for id_ in sorted(ids)]


class SharedWork(Work):
    """The work of one of several use cases that share a transaction and decide apart.

    Its writes are kept until all have run, so that none reads what another has written. It raises
    Apart for a read of a collection that it has written, and for a write that does not say which
    documents it changes.
    """

    def __init__(
        self, database: BlockingDatabase, session: BlockingSession, origin: Origin
    ) -> None:
        super().__init__(database, session, origin)
        self.first_read: tuple[Reads, Document | None] | None = None
        """The declared first read and its document."""
        self.kept: list[tuple[str, str, Sequence[Document]]] = []
        """Commands in order: `insert`, `update` or `touch`, collection, documents or updates."""

    def written(self, *commands: str) -> set[tuple[str, str]]:
        """Return the collections and ids of the documents that these commands write."""
        return {
            (collection, (one if command == "insert" else one["q"])["_id"])
            for command, collection, writes in self.kept
            if command in commands
            for one in writes
        }

    def read(self, reads: Reads) -> Document | None:
        """Do as `Work.read`; what was read for all already is not read again."""
        if self.first_read is None or self.first_read[0] != reads:
            return super().read(reads)
        self._before_read(*reads.collections)
        return self.first_read[1]

    def _before_read(self, *collections: str) -> None:
        if any(collection in collections for _, collection, _ in self.kept):
            raise Apart

    def _before_write_by_query(self) -> None:
        raise Apart

    def _insert(self, collection: str, documents: Sequence[Document]) -> None:
        self.kept.append(("insert", collection, documents))

    def _update(self, collection: str, updates: Sequence[Document]) -> int:
        self.kept.append(("update", collection, updates))
        return len(updates)  # else the transaction ends as stale

    def _touch(self, collection: str, updates: Sequence[Document]) -> None:
        self.kept.append(("touch", collection, updates))
