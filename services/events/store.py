"""Collections and indexes of events."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pymongo import ASCENDING, IndexModel

from services.events.domain.activity import Activity, Recording
from shared.mongo import Database, Indexes, chunk_after, from_document
from shared.unit_of_work import Work

_IN_ORDER = [("starts_at", ASCENDING), ("_id", ASCENDING)]

INDEXES: Indexes = {
    "activities": [
        IndexModel(_IN_ORDER),
        IndexModel([("type", ASCENDING), *_IN_ORDER]),
        IndexModel([("branch", ASCENDING), *_IN_ORDER]),
    ],
    "recordings": [IndexModel([("announced", ASCENDING), ("available_from", ASCENDING)])],
}


async def add_activity(work: Work, activity: Activity, recording: Recording | None) -> None:
    """A new activity, and where its recording is."""
    await work.add("activities", activity)
    if recording is not None:
        await work.add("recordings", recording)


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


async def find_activities_after(db: Database, after: str) -> tuple[list[Activity], str | None]:
    """A chunk of the activities and where to go on."""
    return await chunk_after(db.activities, Activity, after)


async def list_activities(
    db: Database,
    *,
    type_: str | None,
    branch: str | None,
    since: datetime | None,
    after: tuple[datetime, str] | None,
    limit: int,
) -> list[Activity]:
    """Activities in the order of their start, then their id; `after` is the last one seen."""
    query: dict[str, Any] = {}
    if type_ is not None:
        query["type"] = type_
    if branch is not None:
        query["branch"] = branch
    parts: list[Mapping[str, Any]] = [query]
    if since is not None:
        parts.append({"starts_at": {"$gte": since}})
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
