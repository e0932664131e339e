"""Reads of titles in the order of their changes, for harvesters."""

from datetime import datetime
from typing import Any

from pymongo import ASCENDING

from services.circulation.catalogue import store as catalogue_store
from services.circulation.harvest.rules import Place
from services.circulation.rules.title import Title
from shared.clock import wall_clock
from shared.mongo import EARLIEST, Database, from_document

_AT_ONCE = 500


async def find_changed(
    db: Database,
    *,
    branch: str | None,
    since: datetime | None,
    before: datetime | None,
    after: Place | None,
    limit: int,
) -> list[tuple[Title, datetime]]:
    """Return titles with the time of their last change, in its order, from `after` on.

    With `branch` only those of which it has or had a copy.
    """
    bounds: dict[str, datetime] = {"$gte": EARLIEST}
    if since is not None:
        bounds["$gte"] = since
    if before is not None:
        bounds["$lt"] = before
    query: dict[str, Any] = {"changed_at": bounds}
    if branch is not None:
        query["held_by"] = branch
    if after is not None:
        bounds["$gte"] = max(bounds["$gte"], after.at)
        query["$or"] = [{"changed_at": {"$gt": after.at}}, {"_id": {"$gt": after.title_id}}]
    order = [("changed_at", ASCENDING), ("_id", ASCENDING)]
    found = await db.titles.find(query).sort(order).limit(limit).to_list(limit)
    return [(from_document(Title, one), one["changed_at"]) for one in found]


async def find_change(db: Database, title_id: str) -> tuple[Title, datetime] | None:
    """Return a title with the time of its last change, or None."""
    found = await db.titles.find_one({"_id": title_id, "changed_at": {"$gte": EARLIEST}})
    return (from_document(Title, found), found["changed_at"]) if found else None


async def note_changes(db: Database) -> int:
    """Give titles of earlier releases the time of this change and their libraries.

    Returns the number of them. A title that is saved meanwhile has both.
    """
    noted = 0
    while True:
        found = await db.titles.find({"changed_at": None}, {"_id": 1}).limit(_AT_ONCE).to_list(None)
        copies = await catalogue_store.find_copies(db, [one["_id"] for one in found])
        for title_id, of_title in copies.items():
            held_by = sorted({copy.branch_code for copy in of_title})
            change = {"$set": {"changed_at": wall_clock(), "held_by": held_by}}
            await db.titles.update_one({"_id": title_id, "changed_at": None}, change)
        noted += len(found)
        if len(found) < _AT_ONCE:
            return noted
