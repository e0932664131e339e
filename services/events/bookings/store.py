"""Study rooms of which single sessions are booked: their sessions, and the bookings."""

from collections.abc import Collection
from datetime import datetime, timedelta
from functools import partial

from pymongo import ASCENDING, IndexModel

from services.events.bookings.rules import Booking, Slot, StudyRoom
from shared.declared_indexes import Indexes, sharded_by
from shared.mongo import Database, from_document
from shared.personal_data import Personal
from shared.repository import Repository
from shared.unit_of_work import Work

ROOMS = "study_rooms"
SLOTS = "study_slots"
BOOKINGS = "study_bookings"
CLOSED = "study_closed_bookings"
"""Bookings that a closure ended, until their session is over: they come back if it is withdrawn."""

INDEXES: Indexes = {
    ROOMS: [],
    SLOTS: [IndexModel([("ends_at", ASCENDING)])],
    BOOKINGS: sharded_by(
        "patron_id",
        [
            # Guarantee one booking for each patron in a session.
            IndexModel([("patron_id", ASCENDING), ("slot_id", ASCENDING)], unique=True),
            IndexModel([("branch", ASCENDING), ("code", ASCENDING)]),
            # The bookings whose time to come is over, and those whose session is.
            IndexModel([("state", ASCENDING), ("until", ASCENDING)]),
            IndexModel([("state", ASCENDING), ("ends_at", ASCENDING)]),
            # The bookings of a room by session, of which a closure ends some.
            IndexModel([("branch", ASCENDING), ("state", ASCENDING), ("starts_at", ASCENDING)]),
        ],
    ),
    CLOSED: sharded_by(
        "patron_id",
        [
            IndexModel([("patron_id", ASCENDING)]),
            IndexModel([("branch", ASCENDING), ("starts_at", ASCENDING)]),
            IndexModel([("slot_id", ASCENDING)]),
        ],
    ),
}
PERSONAL = (Personal(BOOKINGS), Personal(CLOSED))

_ROOMS = Repository(StudyRoom, ROOMS)
room = _ROOMS.get
add_room = _ROOMS.add
save_room = _ROOMS.save
find_room = _ROOMS.find

_SLOTS = Repository(Slot, SLOTS)
slot = _SLOTS.get
"""Return a session; None if nobody has booked it yet."""
add_slot = _SLOTS.add
save_slot = _SLOTS.save

_BOOKINGS = Repository(Booking, BOOKINGS)
booking = _BOOKINGS.get
"""Return a booking; None if it has ended."""
add = _BOOKINGS.add
save = _BOOKINGS.save
find_one = _BOOKINGS.find
delete = _BOOKINGS.remove
all_of = _BOOKINGS.all_of
find_page = partial(_BOOKINGS.find_page, where={"state": "booked"})
"""Return a page of the bookings whose patrons have not come yet, and where the next begins."""

_CLOSED = Repository(Booking, CLOSED)
delete_closed = _CLOSED.remove
delete_closed_of = _CLOSED.delete_of
"""Delete the kept bookings of an erased patron."""


# ---- in a transaction ---------------------------------------------------------------------------


def booking_with_code(work: Work, branch: str, code: str) -> Booking | None:
    """Return the booking in a room with a code, or None."""
    return work.find(Booking, BOOKINGS, {"branch": branch, "code": code})


def bookings_of(work: Work, branch: str, patron_id: str) -> list[Booking]:
    """Return a patron's bookings in a room."""
    return work.all(Booking, BOOKINGS, {"branch": branch, "patron_id": patron_id})


def has_any(work: Work, branch: str) -> bool:
    """Return whether a room has bookings, or some that a closure ended."""
    kept = [work.all(Booking, one, {"branch": branch}, limit=1) for one in (BOOKINGS, CLOSED)]
    return any(kept)


def starts_of_booked(work: Work, branch: str) -> list[datetime]:
    """Return the beginnings of the sessions of a room that somebody is expected in."""
    return work.distinct(BOOKINGS, "starts_at", {"branch": branch, "state": "booked"})


def booked_at(work: Work, branch: str, starts: Collection[datetime], limit: int) -> list[Booking]:
    """Return bookings in a room for sessions that begin then, the earliest first."""
    query = {"branch": branch, "state": "booked", "starts_at": {"$in": sorted(starts)}}
    return work.all(Booking, BOOKINGS, query, sort=[("starts_at", ASCENDING)], limit=limit)


def starts_of_closed(work: Work, branch: str) -> list[datetime]:
    """Return the beginnings of the sessions of a room whose bookings a closure ended."""
    return work.distinct(CLOSED, "starts_at", {"branch": branch})


def closed_at(work: Work, branch: str, starts: Collection[datetime], limit: int) -> list[Booking]:
    """Return bookings that a closure ended, in the order in which they were made."""
    query = {"branch": branch, "starts_at": {"$in": sorted(starts)}}
    return work.all(Booking, CLOSED, query, sort=[("_id", ASCENDING)], limit=limit)


def keep_closed(work: Work, bookings: Collection[Booking]) -> None:
    """Keep bookings that a closure ended."""
    work.add(CLOSED, *bookings)


def delete_over(work: Work, slot_ids: Collection[str]) -> int:
    """Delete sessions that are over, with the bookings of patrons who came."""
    over = sorted(slot_ids)
    taken = {"slot_id": {"$in": over}, "state": "checked-in"}
    work.delete(CLOSED, {"slot_id": {"$in": over}})
    return work.delete(BOOKINGS, taken) + work.delete(SLOTS, {"_id": {"$in": over}})


# ---- reads outside transactions -----------------------------------------------------------------


async def find_rooms(db: Database, limit: int) -> list[StudyRoom]:
    """Return the study rooms in order of branch, at most `limit`."""
    found = db[ROOMS].find({}).sort("_id", ASCENDING).limit(limit)
    return [from_document(StudyRoom, document) async for document in found]


async def find_taken(db: Database, slot_ids: Collection[str]) -> dict[str, int]:
    """Return how many places of these sessions are booked, by session."""
    found = db[SLOTS].find({"_id": {"$in": sorted(slot_ids)}}, {"taken": 1})
    return {document["_id"]: document["taken"] async for document in found}


async def find_of(db: Database, patron_id: str) -> list[Booking]:
    """Return a patron's bookings, the earliest session first."""
    found = db[BOOKINGS].find({"patron_id": patron_id}).sort("starts_at", ASCENDING)
    return [from_document(Booking, document) async for document in found]


async def find_between(
    db: Database, branch: str, ends_after: datetime, until: datetime, limit: int
) -> list[Booking]:
    """Return the bookings of a room for sessions that end after a time and begin before `until`.

    The earliest session is first. No session is longer than a day.
    """
    query = {
        "branch": branch,
        "state": {"$in": ["booked", "checked-in"]},
        "starts_at": {"$gt": ends_after - timedelta(days=1), "$lt": until},
        "ends_at": {"$gt": ends_after},
    }
    order = [("starts_at", ASCENDING), ("_id", ASCENDING)]
    found = db[BOOKINGS].find(query).sort(order).limit(limit)
    return [from_document(Booking, document) async for document in found]


async def find_due(db: Database, now: datetime, limit: int) -> list[str]:
    """Return the ids of bookings whose patrons did not come in time, at most `limit`."""
    due = {"state": "booked", "until": {"$lte": now}}
    found = db[BOOKINGS].find(due, {"_id": 1}).sort("until", ASCENDING).limit(limit)
    return [document["_id"] async for document in found]


async def find_over(db: Database, before: datetime, limit: int) -> list[str]:
    """Return the ids of sessions that were over before a time, at most `limit`."""
    query = {"ends_at": {"$lt": before}}
    found = db[SLOTS].find(query, {"_id": 1}).sort("ends_at", ASCENDING).limit(limit)
    return [document["_id"] async for document in found]
