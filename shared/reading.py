"""Reads of whole values from documents."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from shared.mongo import Database, Document, from_document

V = TypeVar("V")


async def every(
    db: Database, kind: type[V], collection: str, query: Mapping[str, Any], *, limit: int = 0
) -> list[V]:
    """Return every value that matches, in no order; at most `limit` (0: no limit)."""
    cursor = db[collection].find(query, limit=limit)
    return [from_document(kind, document) async for document in cursor]


async def first(db: Database, kind: type[V], collection: str, query: Mapping[str, Any]) -> V | None:
    """Return a value that matches, or None."""
    document = await db[collection].find_one(query)
    return None if document is None else from_document(kind, document)


async def page(
    db: Database,
    kind: type[V],
    collection: str,
    query: Mapping[str, Any],
    *,
    limit: int,
    after: str | None,
) -> list[V]:
    """Return up to `limit` + 1 values with ids greater than `after`, in the order of their ids."""
    found = {**query, **({} if after is None else {"_id": {"$gt": after}})}
    cursor = db[collection].find(found).sort("_id").limit(limit + 1)
    return [from_document(kind, document) async for document in cursor]


def values(kind: type[V], documents: Sequence[Document]) -> list[V]:
    """Return the values in some documents."""
    return [from_document(kind, document) for document in documents]


def by_id(kind: type[V], documents: Sequence[Document]) -> dict[str, V]:
    """Return the values in some documents, keyed by id."""
    return {document["_id"]: from_document(kind, document) for document in documents}
