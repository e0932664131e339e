"""What events shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from services.events import store
from services.events.domain.activity import Activity, address, last_day
from services.events.domain.refusals import NoRecording, NoSuchActivity, NotRegistered
from services.events.domain.registration import Places, Registration, RegistrationState
from shared.mongo import Database


@dataclass(frozen=True)
class Shown:
    """An activity and its places, if it has any to be given."""

    activity: Activity
    places: Places | None


@dataclass(frozen=True)
class Placed:
    """A registration, its position if it waits, and what it is for."""

    registration: Registration
    position: int | None
    activity: Activity


async def activity(db: Database, activity_id: str) -> Shown:
    """An activity. Raises NoSuchActivity."""
    found = await _activity(db, activity_id)
    places = await store.find_places(db, [activity_id])
    return Shown(found, places.get(activity_id))


async def _activity(db: Database, activity_id: str) -> Activity:
    found = await store.find_activity(db, activity_id)
    if found is None:
        raise NoSuchActivity
    return found


async def recording(db: Database, activity_id: str, now: datetime) -> tuple[str, datetime]:
    """Where the recording of an activity is to be seen, and from when it was.

    Raises NoSuchActivity, NoRecording, or NotYetReleased where `now` is before its time: this goes
    by the time alone, not by whether the job has announced it.
    """
    await _activity(db, activity_id)
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
) -> list[Shown]:
    """Activities by their start that are not over at `since`.

    `after` is the start and id of the last one seen.
    """
    found = await store.list_activities(
        db, type_=type_, branch=branch, since=since, after=after, limit=limit
    )
    places = await store.find_places(db, [one.id for one in found])
    return [Shown(one, places.get(one.id)) for one in found]


async def releases_due(db: Database, now: datetime, limit: int) -> list[str]:
    """Ids of the activities whose recording's release is to be announced, `limit` at most."""
    return await store.releases_due(db, now, limit)


async def registration(db: Database, activity_id: str, patron_id: str) -> Placed:
    """A patron's registration for an activity. Raises NoSuchActivity or NotRegistered."""
    activity = await _activity(db, activity_id)
    found = await store.find_registration_of(db, activity_id, patron_id)
    if found is None:
        raise NotRegistered
    return Placed(found, await store.position(db, found), activity)


async def registrations_of(db: Database, patron_id: str) -> list[Registration]:
    """A patron's registrations, in the order of registering."""
    return await store.find_registrations_of(db, patron_id)


async def registrations_to_come(
    db: Database, patron_id: str, today: date, zone: ZoneInfo
) -> list[Placed]:
    """A patron's registrations for what is not over before `today`, by the start of each."""
    found = await store.find_registrations_of(db, patron_id)
    activities = await store.find_activities(db, {one.activity_id for one in found})
    ahead = [one for one in found if last_day(activities[one.activity_id], zone) >= today]
    placed = [
        Placed(one, await store.position(db, one), activities[one.activity_id]) for one in ahead
    ]
    return sorted(placed, key=lambda one: (one.activity.starts_at, one.activity.id))


async def registrations(
    db: Database, activity_id: str, after: int, limit: int
) -> list[tuple[Registration, int | None]]:
    """Who registered for an activity, after a turn, each with the position of who waits.

    Raises NoSuchActivity.
    """
    await _activity(db, activity_id)
    found = await store.list_registrations(db, activity_id, after, limit)
    return list(zip(found, await _positions(db, found), strict=True))


async def _positions(db: Database, in_turn: Sequence[Registration]) -> list[int | None]:
    """One question is enough: who waits stands in turn."""
    waiting = [one for one in in_turn if one.state is RegistrationState.WAITLISTED]
    first = await store.position(db, waiting[0]) if waiting else None
    places = {one.id: (first or 0) + number for number, one in enumerate(waiting)}
    return [places.get(one.id) for one in in_turn]


async def unfinished(db: Database) -> dict[str, datetime]:
    """Activities with a change that a job is to go on with, and its business time."""
    return await store.unfinished(db)
