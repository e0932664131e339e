"""Closures as staff record them. Each branch has its own part of a closure (`branches`)."""

from typing import Any

from pymongo import ASCENDING, DESCENDING, IndexModel

from services.notices.closures.rules import Closure
from shared import reading
from shared.declared_indexes import Indexes
from shared.mongo import Database, from_document
from shared.unit_of_work import Work

CLOSURES = "closures"

INDEXES: Indexes = {CLOSURES: [IndexModel([("branches", ASCENDING), ("_id", DESCENDING)])]}


def get(work: Work, closure_id: str) -> Closure | None:
    """Return a closure by its id, or None."""
    return work.find(Closure, CLOSURES, {"_id": closure_id})


def add(work: Work, closure: Closure) -> None:
    """Insert a new closure."""
    work.add(CLOSURES, closure)


def save(work: Work, closure: Closure) -> None:
    """Save the next version of a closure."""
    work.save(CLOSURES, closure)


async def find_one(db: Database, closure_id: str) -> Closure | None:
    """Return a closure by its id, or None."""
    return await reading.first(db, Closure, CLOSURES, {"_id": closure_id})


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
