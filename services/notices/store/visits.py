"""Visits with sealed details, the wrapped keys of their days, and the looks at them.

The database deletes visits and keys by itself in case the job `purge-visits` does not run.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from pymongo import ASCENDING, DESCENDING, IndexModel

from services.notices.domain.visit import KEPT_DAYS, DayKey, Look, Visit
from shared.mongo import Database, Indexes, from_document, sharded_by
from shared.unit_of_work import Work

VISITS = "visits"
KEYS = "visit_keys"
LOOKS = "visit_looks"
LIFETIME = KEPT_DAYS * 86_400

INDEXES: Indexes = {
    VISITS: sharded_by(
        "_id",
        [
            IndexModel([("branch", ASCENDING), ("entered_at", ASCENDING)]),
            IndexModel([("day", ASCENDING)]),
            IndexModel(
                [("holder", ASCENDING)], partialFilterExpression={"holder": {"$type": "string"}}
            ),
            IndexModel([("recorded_at", ASCENDING)], expireAfterSeconds=LIFETIME),
        ],
    ),
    KEYS: [IndexModel([("recorded_at", ASCENDING)], expireAfterSeconds=LIFETIME)],
    LOOKS: sharded_by("_id", []),
}


def add(work: Work, visit: Visit) -> None:
    """Insert a new visit."""
    work.add(VISITS, visit)


def get(work: Work, visit_id: str) -> Visit | None:
    """Return a visit, or None."""
    return work.find(Visit, VISITS, {"_id": visit_id})


def save(work: Work, visit: Visit) -> None:
    """Save the next version of a visit."""
    work.save(VISITS, visit)


def key_of(work: Work, day: date) -> DayKey | None:
    """Return the key of a day, or None."""
    return work.find(DayKey, KEYS, {"_id": day.isoformat()})


def all_keys(work: Work) -> list[DayKey]:
    """Return the keys of all days that are kept."""
    return work.all(DayKey, KEYS, {})


def add_key(work: Work, key: DayKey) -> None:
    """Insert the key of a day. Its id is the day, so a day has one key."""
    work.add(KEYS, key)


def delete_keys(work: Work, last: date) -> int:
    """Delete the keys of the days up to `last`."""
    return work.delete(KEYS, {"_id": {"$lte": last.isoformat()}})


def delete_visits(work: Work, ids: Sequence[str]) -> int:
    """Delete visits by their ids."""
    return work.delete(VISITS, {"_id": {"$in": list(ids)}})


def delete_of_holder(work: Work, day: str, holder: str) -> int:
    """Delete the visits of a patron on one day."""
    return work.delete(VISITS, {"holder": holder, "day": day})


def add_look(work: Work, look: Look) -> None:
    """Record a look."""
    work.add(LOOKS, look)


def count_inside(work: Work, since: datetime, look: Look) -> int:
    """Return the number of visits that a look shows; see `find_inside`."""
    return work.count(VISITS, _inside(since, look))


async def find_inside(db: Database, since: datetime, look: Look, limit: int) -> list[Visit]:
    """Return the visits of a look's branch that overlap its span, by their entry.

    A visit without a known end lasts until the end of its day; `since` is the begin of the day in
    which the span begins.
    """
    if not limit:  # to the driver it means no limit
        return []
    found = db[VISITS].find(_inside(since, look)).sort("entered_at", ASCENDING)
    return [from_document(Visit, document) async for document in found.limit(limit)]


def _inside(since: datetime, look: Look) -> dict[str, Any]:
    return {
        "branch": look.branch,
        "entered_at": {"$gte": since, "$lt": look.until},
        "$or": [{"left_at": None}, {"left_at": {"$gte": look.start}}],
    }


async def find_keys(db: Database) -> dict[str, DayKey]:
    """Return the keys of all days that are kept, by day."""
    return {one["_id"]: from_document(DayKey, one) async for one in db[KEYS].find({})}


async def find_ids_until(db: Database, last: date, limit: int) -> list[str]:
    """Return at most `limit` ids of visits of the days up to `last`."""
    found = db[VISITS].find({"day": {"$lte": last.isoformat()}}, {"_id": 1}).limit(limit)
    return [one["_id"] async for one in found]


async def find_looks(db: Database, after: str | None, limit: int) -> list[Look]:
    """Return at most `limit` looks, the newest first, after an id."""
    query = {"_id": {"$lt": after}} if after else {}
    found = db[LOOKS].find(query).sort("_id", DESCENDING).limit(limit)
    return [from_document(Look, document) async for document in found]
