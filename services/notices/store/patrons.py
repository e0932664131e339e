"""Patrons as notices knows them, with their preferences."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from pymongo import ASCENDING, IndexModel

from services.notices.domain.notification import Broadcast
from services.notices.domain.patron import Patron
from shared.mongo import Database, Indexes, from_document, sharded_by
from shared.unit_of_work import Work

PATRONS = "patrons"

INDEXES: Indexes = {
    PATRONS: sharded_by(
        "_id",
        [
            IndexModel([("preferences.branches", ASCENDING), ("_id", ASCENDING)]),
            IndexModel([("preferences.activity_types", ASCENDING), ("_id", ASCENDING)]),
        ],
    ),
}


def get(work: Work, patron_id: str) -> Patron | None:
    """Return the record of a patron, which may be a tombstone, or None."""
    return work.find(Patron, PATRONS, {"_id": patron_id})


def some(work: Work, patron_ids: Sequence[str]) -> dict[str, Patron]:
    """Return the existing records of these patrons, by id."""
    found = work.all(Patron, PATRONS, {"_id": {"$in": list(patron_ids)}})
    return {one.id: one for one in found}


def save(work: Work, patron: Patron) -> None:
    """Save the next version of a patron's record; version 1 is a new one."""
    if patron.version == 1:
        work.add(PATRONS, patron)
    else:
        work.save(PATRONS, patron)


def hold(work: Work, patron: Patron | None, patron_id: str) -> None:
    """Write the patron's record, so that no erasure can commit during this transaction.

    Reading a snapshot would not stop a concurrent erasure, and the notification written here would
    remain in a deleted inbox.
    """
    save(work, Patron(patron_id) if patron is None else replace(patron, version=patron.version + 1))


async def find_one(db: Database, patron_id: str) -> Patron | None:
    """Return the record of a patron, which may be a tombstone, or None."""
    found = await db[PATRONS].find_one({"_id": patron_id})
    return None if found is None else from_document(Patron, found)


async def find_followers(db: Database, broadcast: Broadcast, limit: int) -> list[str]:
    """Return the next patrons who ever followed the branch or the activity type of a broadcast.

    They come after `broadcast.after`, in order of id.
    """
    query: dict[str, Any] = {"_id": {"$gt": broadcast.after}}
    if broadcast.branch is not None:
        query["preferences.branches"] = broadcast.branch
    if broadcast.activity_type is not None:
        query["preferences.activity_types"] = broadcast.activity_type
    found = db[PATRONS].find(query, {"_id": 1}).sort("_id", ASCENDING).limit(limit)
    return [document["_id"] async for document in found]


async def count_followers(db: Database, branch: str, at: datetime) -> int:
    """Return the number of patrons who follow a branch at an instant."""
    query = {"preferences.branches": branch, "erased": False}
    count = 0
    async for document in db[PATRONS].find(query):
        then = from_document(Patron, document).in_force(at)
        count += then is not None and branch in then.branches
    return count
