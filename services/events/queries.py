"""What events shows."""

from datetime import datetime

from services.events import store
from services.events.domain.activity import Activity, address
from services.events.domain.refusals import NoRecording, NoSuchActivity
from shared.mongo import Database


async def activity(db: Database, activity_id: str) -> Activity:
    """An activity. Raises NoSuchActivity."""
    found = await store.find_activity(db, activity_id)
    if found is None:
        raise NoSuchActivity
    return found


async def recording(db: Database, activity_id: str, now: datetime) -> tuple[str, datetime]:
    """Where the recording of an activity is to be seen, and from when it was.

    Raises NoSuchActivity, NoRecording, or NotYetReleased where `now` is before its time: this goes
    by the time alone, not by whether the job has announced it.
    """
    await activity(db, activity_id)
    found = await store.find_recording(db, activity_id)
    if found is None:
        raise NoRecording
    return address(found, now), found.available_from


async def activities(
    db: Database,
    *,
    type_: str | None,
    branch: str | None,
    since: datetime | None,
    after: tuple[datetime, str] | None,
    limit: int,
) -> list[Activity]:
    """Activities by their start, from `since` on; `after` is the start and id of the last seen."""
    return await store.list_activities(
        db, type_=type_, branch=branch, since=since, after=after, limit=limit
    )


async def releases_due(db: Database, now: datetime, limit: int) -> list[str]:
    """Ids of the activities whose recording's release is to be announced, `limit` at most."""
    return await store.releases_due(db, now, limit)
