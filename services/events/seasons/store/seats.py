"""Sittings of the study rooms, and their seats."""

from collections.abc import Collection
from datetime import date, datetime

from pymongo import ASCENDING, IndexModel

from services.events.seasons.rules.seat import Seat, Sitting
from shared import reading
from shared.declared_indexes import Indexes, sharded_by
from shared.mongo import Database, SnapshotQuery, read_snapshot_page
from shared.personal_data import Personal
from shared.repository import Repository
from shared.unit_of_work import Work

SITTINGS = "study_sittings"
SEATS = "study_seats"

INDEXES: Indexes = {
    SITTINGS: [
        IndexModel([("season_id", ASCENDING)]),
        IndexModel([("branch", ASCENDING), ("day", ASCENDING)]),
    ],
    SEATS: sharded_by(
        "sitting_id",
        [
            # Guarantee one seat for each application in a sitting.
            IndexModel([("sitting_id", ASCENDING), ("application_id", ASCENDING)], unique=True),
            IndexModel([("sitting_id", ASCENDING), ("state", ASCENDING), ("until", ASCENDING)]),
            IndexModel([("application_id", ASCENDING), ("state", ASCENDING)]),
            IndexModel([("patron_id", ASCENDING)]),
        ],
    ),
}
PERSONAL = (Personal(SEATS),)

_SITTINGS = Repository(Sitting, SITTINGS)
sitting = _SITTINGS.get
"""Return a sitting; None if it has not been opened."""
save_sitting = _SITTINGS.save
find_sittings = _SITTINGS.find_some

_SEATS = Repository(Seat, SEATS)
add = _SEATS.add
save = _SEATS.save
delete = _SEATS.remove


def open_sitting(work: Work, sitting: Sitting, seats: Collection[Seat]) -> None:
    """Insert a sitting with the seats that are held from its beginning."""
    work.add(SITTINGS, sitting)
    work.add(SEATS, *seats)


def seat(work: Work, sitting_id: str, application_id: str) -> Seat | None:
    """Return the seat of an application in a sitting, or None."""
    query = {"sitting_id": sitting_id, "application_id": application_id}
    return work.find(Seat, SEATS, query)


def seats_in(work: Work, sitting_id: str) -> list[Seat]:
    """Return all seats of a sitting."""
    return work.all(Seat, SEATS, {"sitting_id": sitting_id})


def first_due(work: Work, sitting_id: str) -> Seat | None:
    """Return the held seat whose time is over for the longest time, or None."""
    query = {"sitting_id": sitting_id, "state": "held", "until": {"$lte": work.now}}
    order = [("until", ASCENDING), ("_id", ASCENDING)]
    return next(iter(work.all(Seat, SEATS, query, sort=order, limit=1)), None)


def has_any(work: Work, branch: str) -> bool:
    """Return whether a room has had sittings."""
    return bool(work.all(Sitting, SITTINGS, {"branch": branch}, limit=1))


def days_of(work: Work, branch: str) -> list[date]:
    """Return the days of a room's sittings."""
    found = work.distinct(SITTINGS, "day", {"branch": branch})
    return [date.fromisoformat(day) for day in found]


def not_taken_on(work: Work, branch: str, days: Collection[date], limit: int) -> list[Seat]:
    """Return seats of a room on some days whose patrons have not come, at most `limit`."""
    on = {"branch": branch, "day": {"$in": sorted(day.isoformat() for day in days)}}
    ids = work.distinct(SITTINGS, "_id", on)
    query = {"sitting_id": {"$in": ids}, "state": {"$in": ["held", "lapsed"]}}
    return work.all(Seat, SEATS, query, sort=[("sitting_id", ASCENDING)], limit=limit)


def seats_of(work: Work, application_id: str) -> list[Seat]:
    """Return the seats of an application, in all sittings."""
    return work.all(Seat, SEATS, {"application_id": application_id})


def delete_of(work: Work, application_id: str) -> None:
    """Delete the seats of an application."""
    work.delete(SEATS, {"application_id": application_id})


def delete_sittings(work: Work, sitting_ids: Collection[str]) -> int:
    """Delete sittings; return their number."""
    return work.delete(SITTINGS, {"_id": {"$in": sorted(sitting_ids)}})


async def find_sitting_ids(db: Database, season_id: str, limit: int) -> list[str]:
    """Return the ids of sittings of a season, at most `limit`."""
    found = db[SITTINGS].find({"season_id": season_id}, {"_id": 1}).limit(limit)
    return [document["_id"] async for document in found]


async def count_no_shows(db: Database, application_ids: Collection[str]) -> dict[str, int]:
    """Return how often the patrons of these applications did not come in time, by application."""
    which = {"application_id": {"$in": sorted(application_ids)}, "state": "lapsed"}
    counted = db[SEATS].aggregate(
        [{"$match": which}, {"$group": {"_id": "$application_id", "count": {"$sum": 1}}}]
    )
    return {one["_id"]: one["count"] async for one in counted}


async def find_opened(db: Database, sitting_ids: Collection[str]) -> set[str]:
    """Return those of these sittings that have been opened."""
    found = db[SITTINGS].find({"_id": {"$in": sorted(sitting_ids)}}, {"_id": 1})
    return {document["_id"] async for document in found}


async def find_due(db: Database, sitting_ids: Collection[str], now: datetime) -> set[str]:
    """Return those of these sittings with a held seat whose time is over."""
    query = {"sitting_id": {"$in": sorted(sitting_ids)}, "state": "held", "until": {"$lte": now}}
    return set(await db[SEATS].distinct("sitting_id", query))


async def find_place_of(db: Database, application_id: str, now: datetime) -> Seat | None:
    """Return the seat that is held for an application from the standby list now, or None."""
    query = {"application_id": application_id, "state": "held", "promoted": True}
    return await reading.first(db, Seat, SEATS, {**query, "until": {"$gt": now}})


async def find_held(db: Database, query: SnapshotQuery) -> tuple[list[Seat], str | None]:
    """Return the seats that patrons from the standby list hold, and where the next page begins."""
    where = {"state": "held", "promoted": True}
    return await read_snapshot_page(db[SEATS], Seat, query, where)
