"""Reads of whole values outside any transaction."""

from collections.abc import Mapping
from typing import Any, TypeVar

from shared.mongo import Database, from_document

V = TypeVar("V")


async def every(
    db: Database, kind: type[V], collection: str, query: Mapping[str, Any], *, limit: int = 0
) -> list[V]:
    """Return every value that matches, in no order; at most `limit` (0: no limit)."""
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
    """Return up to `limit` + 1 values with ids greater than `after`, in the order of their ids."""
    found = {**query, **({} if after is None else {"_id": {"$gt": after}})}
    cursor = db[collection].find(found).sort("_id").limit(limit + 1)
    return [from_document(kind, document) async for document in cursor]
