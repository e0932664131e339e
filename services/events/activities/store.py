"""Collections of activities, recordings, places and registrations."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from pymongo import ASCENDING, IndexModel

from services.events.activities.rules import (
    Activity,
    Closed,
    Places,
    Recording,
    Registration,
    RegistrationState,
)
from shared import reading
from shared.declared_indexes import Indexes
from shared.mongo import Database, from_document
from shared.personal_data import Personal
from shared.repository import Repository
from shared.unit_of_work import Stale, Work

_IN_ORDER = [("starts_at", ASCENDING), ("_id", ASCENDING)]
_UNFINISHED = {"unfinished_since": {"$type": "date"}}
_WAITLISTED = {"state": RegistrationState.WAITLISTED.value}
INDEXES: Indexes = {
    "activities": [
        IndexModel(_IN_ORDER),
        IndexModel([("type", ASCENDING), *_IN_ORDER]),
        IndexModel([("branch", ASCENDING), *_IN_ORDER]),
        # Activities that began before a day and are not over.
        IndexModel([("ends_at", ASCENDING)]),
    ],
    "recordings": [IndexModel([("announced", ASCENDING), ("available_from", ASCENDING)])],
    "places": [IndexModel([("unfinished_since", ASCENDING)], partialFilterExpression=_UNFINISHED)],
    "registrations": [
        # Guarantee one registration for each patron, and each turn once.
        IndexModel([("patron_id", ASCENDING), ("activity_id", ASCENDING)], unique=True),
        IndexModel([("activity_id", ASCENDING), ("turn", ASCENDING)], unique=True),
        # The waiting list of an activity, in turn.
        IndexModel([("activity_id", ASCENDING), ("state", ASCENDING), ("turn", ASCENDING)]),
    ],
}
PERSONAL = (Personal("registrations"),)

_ACTIVITIES = Repository(Activity, "activities")
activity = _ACTIVITIES.get
save_activity = _ACTIVITIES.save
find_activity = _ACTIVITIES.find
find_programme = _ACTIVITIES.find_page
find_activities = _ACTIVITIES.find_some

_PLACES = Repository(Places, "places")
places = _PLACES.get
"""Return the places of an activity; None if no registration is needed."""
save_places = _PLACES.save
find_places = _PLACES.find_some
"""Return the places of those of these activities that need registration, by activity id."""

_REGISTRATIONS = Repository(Registration, "registrations")
registration = _REGISTRATIONS.get
"""Return the registration with an id; None if it has ended."""
add_registration = _REGISTRATIONS.add
find_registrations = _REGISTRATIONS.find_page

_RECORDINGS = Repository(Recording, "recordings")
find_recording = _RECORDINGS.find
"""Return the recording of an activity, with its address, or None."""


# ---- activities, in a transaction ---------------------------------------------------------------


def add_activity(
    work: Work, activity: Activity, recording: Recording | None, places: Places | None
) -> None:
    """Insert a new activity with its recording and its places, if it has them."""
    work.add("activities", activity)
    if recording is not None:
        work.add("recordings", recording)
    if places is not None:
        work.add("places", places)


def claim_release(work: Work, activity_id: str) -> bool:
    """Mark a recording's release as announced; return False if it is already, or not due yet."""
    claimed = work.update(
        "recordings",
        {"_id": activity_id, "announced": False, "available_from": {"$lte": work.now}},
        {"$set": {"announced": True}},
    )
    return claimed == 1


# ---- registrations, in a transaction ------------------------------------------------------------


def registration_of(work: Work, activity_id: str, patron_id: str) -> Registration | None:
    """Return a patron's registration for an activity; None if there is none or it has ended."""
    query = {"patron_id": patron_id, "activity_id": activity_id}
    return work.find(Registration, "registrations", query)


def next_waiting(work: Work, activity_id: str, limit: int) -> list[Registration]:
    """Return the first registrations on an activity's waiting list, at most `limit`, in turn."""
    query = {"activity_id": activity_id, **_WAITLISTED}
    order = [("turn", ASCENDING)]
    return work.all(Registration, "registrations", query, sort=order, limit=limit)


def save_registrations(work: Work, registrations: Iterable[Registration]) -> None:
    """Save registrations after a change."""
    work.save("registrations", *registrations)


def first_registered(work: Work, activity_id: str, limit: int) -> list[Registration]:
    """Return the first open registrations for an activity, at most `limit`, in turn."""
    query = {"activity_id": activity_id}
    order = [("turn", ASCENDING)]
    return work.all(Registration, "registrations", query, sort=order, limit=limit)


def delete_registrations(work: Work, registrations: Sequence[Registration]) -> None:
    """Delete registrations as they were read. Raises Stale if one has changed since."""
    query = {"$or": [{"_id": one.id, "version": one.version} for one in registrations]}
    if registrations and work.delete("registrations", query) < len(registrations):
        raise Stale(f"one of {len(registrations)} registrations is no longer at its version")


# ---- reads outside transactions -----------------------------------------------------------------


async def releases_due(db: Database, now: datetime, limit: int) -> list[str]:
    """Return the ids of activities with a released but unannounced recording, oldest first."""
    cursor = (
        db.recordings.find({"announced": False, "available_from": {"$lte": now}}, {"_id": 1})
        .sort("available_from", ASCENDING)
        .limit(limit)
    )
    return [document["_id"] async for document in cursor]


async def list_activities(
    db: Database,
    *,
    type_: str | None,
    branch: str | None,
    since: datetime | None,
    after: tuple[datetime, str] | None,
    limit: int,
) -> list[Activity]:
    """Return activities not over at `since`, ordered by start and then id, at most `limit`.

    `after` is the start and id of the last activity seen.
    """
    query: dict[str, Any] = {}
    if type_ is not None:
        query["type"] = type_
    if branch is not None:
        query["branch"] = branch
    parts: list[Mapping[str, Any]] = [query]
    if since is not None:
        parts.append({"$or": [{"starts_at": {"$gte": since}}, {"ends_at": {"$gte": since}}]})
    if after is not None:
        starts_at, activity_id = after
        parts.append(
            {
                "starts_at": {"$gte": starts_at},
                "$or": [{"starts_at": {"$gt": starts_at}}, {"_id": {"$gt": activity_id}}],
            }
        )
    cursor = db.activities.find({"$and": parts}).sort(_IN_ORDER).limit(limit)
    return [from_document(Activity, document) async for document in cursor]


async def list_inside(
    db: Database, closed: Iterable[Closed], limit: int
) -> tuple[list[Activity], int]:
    """Return activities that fall into any of these closures, at most `limit`, and their total.

    Cancelled activities are left out. The activities are ordered by their start.
    """
    inside = []
    for one in closed:
        query: dict[str, Any] = {
            "branch": {"$in": list(one.branches)},
            "$or": [{"starts_at": {"$gte": one.since}}, {"ends_at": {"$gt": one.since}}],
        }
        if one.until is not None:
            query["starts_at"] = {"$lt": one.until}
        inside.append(query)
    wanted = {"cancelled_at": None, "$or": inside}
    cursor = db.activities.find(wanted).sort(_IN_ORDER).limit(limit)
    found = [from_document(Activity, document) async for document in cursor]
    return found, await db.activities.count_documents(wanted)


async def unfinished(db: Database) -> dict[str, datetime]:
    """Return the activities with an unfinished change, with the change's business time."""
    found = db.places.find(_UNFINISHED, {"unfinished_since": 1})
    return {document["_id"]: document["unfinished_since"] async for document in found}


async def find_registration_of(
    db: Database, activity_id: str, patron_id: str
) -> Registration | None:
    """Return the same as `registration_of`, read outside any transaction."""
    return await reading.first(
        db, Registration, "registrations", {"patron_id": patron_id, "activity_id": activity_id}
    )


async def find_registrations_of(db: Database, patron_id: str) -> list[Registration]:
    """Return a patron's registrations, in the order of registering."""
    cursor = db.registrations.find({"patron_id": patron_id}).sort("_id", ASCENDING)
    return [from_document(Registration, document) async for document in cursor]


async def list_registrations(
    db: Database, activity_id: str, after: int, limit: int
) -> list[Registration]:
    """Return the registrations for an activity after a turn, in turn, at most `limit`."""
    query = {"activity_id": activity_id, "turn": {"$gt": after}}
    cursor = db.registrations.find(query).sort("turn", ASCENDING).limit(limit)
    return [from_document(Registration, document) async for document in cursor]


async def count_attended(db: Database, activity_id: str) -> int:
    """Return the number of registrations for an activity whose attendance is recorded."""
    return await db.registrations.count_documents(
        {"activity_id": activity_id, "attended_at": {"$type": "date"}}
    )


async def position(db: Database, registration: Registration) -> int | None:
    """Return a registration's position on the waiting list, 1 for the next; None if not waiting."""
    if registration.state is not RegistrationState.WAITLISTED:
        return None
    query = {"activity_id": registration.activity_id, "turn": {"$lte": registration.turn}}
    return await db.registrations.count_documents({**query, **_WAITLISTED})
