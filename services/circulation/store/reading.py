"""Reading whole values outside any transaction."""

from collections.abc import Mapping
from typing import Any, TypeVar

from shared.mongo import Database, from_document

V = TypeVar("V")


async def every(
    db: Database, kind: type[V], collection: str, query: Mapping[str, Any], *, limit: int = 0
) -> list[V]:
    """What matches, in no order."""
    cursor = db[collection].find(query, limit=limit)
    return [from_document(kind, document) async for document in cursor]


async def page(
    db: Database,
    kind: type[V],
    collection: str,
    query: Mapping[str, Any],
    *,
    limit: int,
    after: str | None,
) -> list[V]:
    """One more than `limit`, in the order of their ids, after the one that a page ended with."""
    found = {**query, **({} if after is None else {"_id": {"$gt": after}})}
    cursor = db[collection].find(found).sort("_id").limit(limit + 1)
    return [from_document(kind, document) async for document in cursor]
