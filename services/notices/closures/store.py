"""Closures as staff record them. Each branch has its own part of a closure (`branches`)."""

from typing import Any

from pymongo import ASCENDING, DESCENDING, IndexModel

from services.notices.closures.rules import Closure
from shared.declared_indexes import Indexes
from shared.mongo import Database, from_document
from shared.repository import Repository

CLOSURES = "closures"

INDEXES: Indexes = {CLOSURES: [IndexModel([("branches", ASCENDING), ("_id", DESCENDING)])]}

_CLOSURES = Repository(Closure, CLOSURES)
get = _CLOSURES.get
add = _CLOSURES.add
save = _CLOSURES.save
find_one = _CLOSURES.find


async def find_before(
    db: Database, branch: str | None, after: str | None, limit: int
) -> list[Closure]:
    """Return at most `limit` closures, newest first, of one branch or of all."""
    query: dict[str, Any] = {}
    if branch is not None:
        query["branches"] = branch
    if after is not None:
        query["_id"] = {"$lt": after}
    found = db[CLOSURES].find(query).sort("_id", DESCENDING).limit(limit)
    return [from_document(Closure, document) async for document in found]
