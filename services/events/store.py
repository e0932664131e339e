"""Collections and indexes of events."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pymongo import ASCENDING, IndexModel

from services.events.domain.activity import Activity, Recording
from services.events.domain.registration import Places, Registration, RegistrationState
from shared.mongo import Database, Indexes, Part, from_document, read_part
from shared.unit_of_work import Stale, Work

_IN_ORDER = [("starts_at", ASCENDING), ("_id", ASCENDING)]
_UNFINISHED = {"unfinished_since": {"$type": "date"}}
_WAITLISTED = {"state": RegistrationState.WAITLISTED.value}

INDEXES: Indexes = {
    "activities": [
        IndexModel(_IN_ORDER),
        IndexModel([("type", ASCENDING), *_IN_ORDER]),
        IndexModel([("branch", ASCENDING), *_IN_ORDER]),
        # What began before and is still on.
        IndexModel([("ends_at", ASCENDING)]),
    ],
    "recordings": [IndexModel([("announced", ASCENDING), ("available_from", ASCENDING)])],
    "places": [IndexModel([("unfinished_since", ASCENDING)], partialFilterExpression=_UNFINISHED)],
    "registrations": [
        # One for each patron, and each turn once, whatever else goes wrong.
        IndexModel([("patron_id", ASCENDING), ("activity_id", ASCENDING)], unique=True),
        IndexModel([("activity_id", ASCENDING), ("turn", ASCENDING)], unique=True),
        # Who waits, in turn.
        IndexModel([("activity_id", ASCENDING), ("state", ASCENDING), ("turn", ASCENDING)]),
    ],
    "patrons": [],
}


@dataclass(frozen=True)
class _Patron:
    """What a registration and an erasure at the same moment meet in."""

    id: str
    version: int
    erased: bool = False


# ---- activities, in a transaction ---------------------------------------------------------------


async def add_activity(
    work: Work, activity: Activity, recording: Recording | None, places: Places | None
) -> None:
    """A new activity, where its recording is, and its places, if it has any."""
    await work.add("activities", activity)
    if recording is not None:
        await work.add("recordings", recording)
    if places is not None:
        await work.add("places", places)


async def activity(work: Work, activity_id: str) -> Activity | None:
    """The activity of this id."""
    return await work.find(Activity, "activities", {"_id": activity_id})


async def save_activity(work: Work, activity: Activity) -> None:
    """The activity after a change."""
    await work.save("activities", activity)


async def claim_release(work: Work, activity_id: str) -> bool:
    """Mark the recording's release as announced. False if that was done, or it is not time yet."""
    claimed = await work.update(
        "recordings",
        {"_id": activity_id, "announced": False, "available_from": {"$lte": work.now}},
        {"$set": {"announced": True}},
    )
    return claimed == 1


# ---- registrations, in a transaction ------------------------------------------------------------


async def places(work: Work, activity_id: str) -> Places | None:
    """The places of an activity; None: it has none to be given."""
    return await work.find(Places, "places", {"_id": activity_id})


async def save_places(work: Work, places: Places) -> None:
    """The counts after a change. Of two changes at once one is run again, and sees the other."""
    await work.save("places", places)


async def registration(work: Work, registration_id: str) -> Registration | None:
    """The registration of this id, unless it has ended."""
    return await work.find(Registration, "registrations", {"_id": registration_id})


async def registration_of(work: Work, activity_id: str, patron_id: str) -> Registration | None:
    """A patron's registration for an activity, unless it has ended."""
    query = {"patron_id": patron_id, "activity_id": activity_id}
    return await work.find(Registration, "registrations", query)


async def next_waiting(work: Work, activity_id: str, limit: int) -> list[Registration]:
    """Those who stand first on the waiting list of an activity, in turn."""
    query = {"activity_id": activity_id, **_WAITLISTED}
    order = [("turn", ASCENDING)]
    return await work.all(Registration, "registrations", query, sort=order, limit=limit)


async def add_registration(work: Work, registration: Registration) -> None:
    """A new registration."""
    await work.add("registrations", registration)


async def save_registrations(work: Work, registrations: Iterable[Registration]) -> None:
    """Registrations after a change."""
    await work.save("registrations", *registrations)


async def first_registered(work: Work, activity_id: str, limit: int) -> list[Registration]:
    """The registrations for an activity that have not ended, in turn."""
    query = {"activity_id": activity_id}
    order = [("turn", ASCENDING)]
    return await work.all(Registration, "registrations", query, sort=order, limit=limit)


async def delete_registrations(work: Work, registrations: Sequence[Registration]) -> None:
    """Delete registrations as they were read; raises Stale if one has changed since."""
    query = {"$or": [{"_id": one.id, "version": one.version} for one in registrations]}
    if registrations and await work.delete("registrations", query) < len(registrations):
        raise Stale(f"one of {len(registrations)} registrations is no longer at its version")


async def hold_patron(work: Work, patron_id: str) -> bool:
    """Whether the patron may get a registration: not once erased.

    Writes what is kept of them, so that nobody erases the patron until this transaction is over: a
    read alone would not stop an erasure that commits meanwhile, and the registration would stay.
    """
    known = await work.find(_Patron, "patrons", {"_id": patron_id})
    if known is not None and known.erased:
        return False
    await work.update("patrons", {"_id": patron_id}, {"$inc": {"version": 1}}, upsert=True)
    return True


async def erase_patron(work: Work, patron_id: str) -> None:
    """Keep nothing of a patron but that they were erased."""
    change = {"$set": {"erased": True}, "$inc": {"version": 1}}
    await work.update("patrons", {"_id": patron_id}, change, upsert=True)


# ---- reads outside transactions -----------------------------------------------------------------


async def releases_due(db: Database, now: datetime, limit: int) -> list[str]:
    """Ids of activities whose recording may be seen and was not announced, oldest first."""
    cursor = (
        db.recordings.find({"announced": False, "available_from": {"$lte": now}}, {"_id": 1})
        .sort("available_from", ASCENDING)
        .limit(limit)
    )
    return [document["_id"] async for document in cursor]


async def find_activity(db: Database, activity_id: str) -> Activity | None:
    """As `activity`, outside any transaction."""
    found = await db.activities.find_one({"_id": activity_id})
    return None if found is None else from_document(Activity, found)


async def find_recording(db: Database, activity_id: str) -> Recording | None:
    """Where the recording of an activity is."""
    found = await db.recordings.find_one({"_id": activity_id})
    return None if found is None else from_document(Recording, found)


async def find_programme(db: Database, part: Part) -> tuple[list[Activity], str | None]:
    """A part of the activities and where to go on."""
    return await read_part(db.activities, Activity, part)


async def list_activities(
    db: Database,
    *,
    type_: str | None,
    branch: str | None,
    since: datetime | None,
    after: tuple[datetime, str] | None,
    limit: int,
) -> list[Activity]:
    """Activities that are not over at `since`, in the order of their start, then their id.

    `after` is the start and id of the last one seen.
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


async def find_places(db: Database, activity_ids: Collection[str]) -> dict[str, Places]:
    """The places of those of these activities that have any to be given, by activity."""
    found = db.places.find({"_id": {"$in": sorted(activity_ids)}})
    return {document["_id"]: from_document(Places, document) async for document in found}


async def unfinished(db: Database) -> dict[str, datetime]:
    """Activities with a change that is not finished, and its business time."""
    found = db.places.find(_UNFINISHED, {"unfinished_since": 1})
    return {document["_id"]: document["unfinished_since"] async for document in found}


async def find_activities(db: Database, activity_ids: Collection[str]) -> dict[str, Activity]:
    """Some activities, by id."""
    found = db.activities.find({"_id": {"$in": sorted(activity_ids)}})
    return {document["_id"]: from_document(Activity, document) async for document in found}


async def find_registration_of(
    db: Database, activity_id: str, patron_id: str
) -> Registration | None:
    """As `registration_of`, outside any transaction."""
    found = await db.registrations.find_one({"patron_id": patron_id, "activity_id": activity_id})
    return None if found is None else from_document(Registration, found)


async def find_registrations_of(db: Database, patron_id: str) -> list[Registration]:
    """A patron's registrations, in the order of registering."""
    cursor = db.registrations.find({"patron_id": patron_id}).sort("_id", ASCENDING)
    return [from_document(Registration, document) async for document in cursor]


async def list_registrations(
    db: Database, activity_id: str, after: int, limit: int
) -> list[Registration]:
    """Those of an activity after a turn, in turn."""
    query = {"activity_id": activity_id, "turn": {"$gt": after}}
    cursor = db.registrations.find(query).sort("turn", ASCENDING).limit(limit)
    return [from_document(Registration, document) async for document in cursor]


async def position(db: Database, registration: Registration) -> int | None:
    """How many wait for a place up to and with this one; None: it waits no longer."""
    if registration.state is not RegistrationState.WAITLISTED:
        return None
    query = {"activity_id": registration.activity_id, "turn": {"$lte": registration.turn}}
    return await db.registrations.count_documents({**query, **_WAITLISTED})


async def find_registrations(db: Database, part: Part) -> tuple[list[Registration], str | None]:
    """A part of the registrations and where to go on."""
    return await read_part(db.registrations, Registration, part)
