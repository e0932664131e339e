"""The reads and writes by id that each collection of values needs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from shared import reading
from shared.mongo import Database, SnapshotQuery, from_document, read_snapshot_page, to_document
from shared.work import Stale, Work

V = TypeVar("V")


@dataclass(frozen=True)
class Repository(Generic[V]):
    """A collection whose documents are values of one class, each with an id.

    A store names the methods that its subject uses: `activity = _ACTIVITIES.get`.
    """

    kind: type[V]
    collection: str

    def get(self, work: Work, value_id: str) -> V | None:
        """Return the value with an id, or None."""
        return work.find(self.kind, self.collection, {"_id": value_id})

    def some(self, work: Work, ids: Iterable[str]) -> dict[str, V]:
        """Return those of some values that there are, keyed by id."""
        found: list[Any] = work.all(self.kind, self.collection, {"_id": {"$in": sorted(ids)}})
        return {one.id: one for one in found}

    def add(self, work: Work, *values: V) -> None:
        """Insert new values. If an id or a unique value is taken, the transaction is retried."""
        work.add(self.collection, *values)

    def save(self, work: Work, *values: V) -> None:
        """Save the next version of each value. Of two writers of one version one is retried."""
        work.save(self.collection, *values)

    def put(self, work: Work, *values: V) -> None:
        """Insert the values of version 1, and save the next version of the others."""
        work.put(self.collection, *values)

    def note(self, work: Work, value: V) -> bool:
        """Store a value of another service unless this version or a newer one is there already."""
        return work.save_if_newer(self.collection, value)

    def remove(self, work: Work, value: V) -> None:
        """Delete a value as it was read. Raises Stale if another transaction has changed it."""
        document = to_document(value)
        if not work.delete(self.collection, {one: document[one] for one in ("_id", "version")}):
            raise Stale(f"{document['_id']} of {self.collection} is no longer at its version")

    def all_of(self, work: Work, patron_id: str) -> list[V]:
        """Return the values of a patron."""
        return work.all(self.kind, self.collection, {"patron_id": patron_id})

    def delete_of(self, work: Work, patron_id: str) -> int:
        """Delete the values of a patron; return the number of them."""
        return work.delete(self.collection, {"patron_id": patron_id})

    async def find(self, db: Database, value_id: str) -> V | None:
        """Return the same as `get`, read outside any transaction."""
        return await reading.first(db, self.kind, self.collection, {"_id": value_id})

    async def find_some(self, db: Database, ids: Iterable[str]) -> dict[str, V]:
        """Return the same as `some`, read outside any transaction."""
        found = db[self.collection].find({"_id": {"$in": sorted(ids)}})
        return {document["_id"]: from_document(self.kind, document) async for document in found}

    async def find_page(
        self, db: Database, query: SnapshotQuery, where: Mapping[str, Any] | None = None
    ) -> tuple[list[V], str | None]:
        """Return a page of the values and the id at which the next page begins; None: no more."""
        return await read_snapshot_page(db[self.collection], self.kind, query, where)
