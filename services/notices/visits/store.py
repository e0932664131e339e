"""Collections of occupancy, venues, visits, keys and looks; sealed details of visitors."""

import hmac
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import orjson
from cryptography.fernet import Fernet
from pymongo import ASCENDING, DESCENDING, IndexModel

from services.notices.visits.rules import KEPT_DAYS, DayKey, Look, Occupancy, Venue, Visit, Visitor
from shared import reading
from shared.declared_indexes import Indexes, sharded_by
from shared.mongo import Database, from_document, strings
from shared.repository import Repository
from shared.unit_of_work import Work

OCCUPANCY = "occupancy"
VENUES = "venues"

VISITS = "visits"
KEYS = "visit_keys"
LOOKS = "visit_looks"
LIFETIME = KEPT_DAYS * 86_400

INDEXES: Indexes = {
    OCCUPANCY: [],
    VENUES: [IndexModel([("code", ASCENDING)], unique=True)],
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

_OCCUPANCY = Repository(Occupancy, OCCUPANCY)
get_occupancy = _OCCUPANCY.get
"""Return the stored occupancy of a branch, which may be of an earlier day, or None."""
save_occupancy = _OCCUPANCY.put
find_occupancy = _OCCUPANCY.find
find_occupancies = _OCCUPANCY.find_some

_VENUES = Repository(Venue, VENUES)
get_venue = _VENUES.get
save_venue = _VENUES.put

_VISITS = Repository(Visit, VISITS)
add_visit = _VISITS.add
get_visit = _VISITS.get
save_visit = _VISITS.save

_KEYS = Repository(DayKey, KEYS)
add_key = _KEYS.add
"""Insert the key of a day. Its id is the day, so a day has one key."""

_LOOKS = Repository(Look, LOOKS)
add_look = _LOOKS.add


def seal(key: bytes, visitor: Visitor) -> bytes:
    """Return the details of a visitor, readable with the key of the day only."""
    return Fernet(key).encrypt(orjson.dumps([visitor.name, visitor.phone]))


def unseal(key: bytes, sealed: bytes) -> Visitor:
    """Return the details of a visitor."""
    return Visitor(*orjson.loads(Fernet(key).decrypt(sealed)))


def holder_of(key: bytes, patron_id: str) -> str:
    """Return the digest that stands for a patron on one day."""
    return hmac.new(key, patron_id.encode(), "sha256").hexdigest()


def venue_with(work: Work, code: str) -> Venue | None:
    """Return the venue with a code, or None."""
    return work.find(Venue, VENUES, {"code": code})


async def find_venue(db: Database, branch: str) -> Venue | None:
    """Return the venue of a branch, or None."""
    return await _venue(db, {"_id": branch})


async def find_venue_with(db: Database, code: str) -> Venue | None:
    """Return the venue with a code, or None."""
    return await _venue(db, {"code": code})


async def _venue(db: Database, query: dict[str, Any]) -> Venue | None:
    return await reading.first(db, Venue, VENUES, query)


async def find_to_settle(db: Database, published_by: datetime) -> list[str]:
    """Return the branches with somebody inside or waiting, or with changes not yet published.

    A library has some dozens of branches, so all are read.
    """
    query = {
        "$or": [
            {"inside": {"$gt": 0}},
            {"queue": {"$ne": []}},
            {"unpublished": True, "published_at": {"$lte": published_by}},
        ]
    }
    return [one["_id"] async for one in db[OCCUPANCY].find(query, {"_id": 1})]


def key_of(work: Work, day: date) -> DayKey | None:
    """Return the key of a day, or None."""
    return work.find(DayKey, KEYS, {"_id": day.isoformat()})


def all_keys(work: Work) -> list[DayKey]:
    """Return the keys of all days that are kept."""
    return work.all(DayKey, KEYS, {})


def delete_keys(work: Work, last: date) -> int:
    """Destroy the keys of the days up to `last`: nobody can read their visits any more."""
    return work.delete(KEYS, {"_id": {"$lte": last.isoformat()}})


def delete_visits(work: Work, ids: Sequence[str]) -> int:
    """Delete visits by their ids."""
    return work.delete(VISITS, {"_id": {"$in": list(ids)}})


def delete_of_holder(work: Work, day: str, holder: str) -> int:
    """Delete the visits of a patron on one day."""
    return work.delete(VISITS, {"holder": strings(holder), "day": day})


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
