"""Reads of activities and registrations."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from services.events.activities import refusals, store
from services.events.activities.rules import (
    Activity,
    Closed,
    Places,
    Registration,
    RegistrationState,
    address,
    last_day,
)
from shared.mongo import Database
from shared.refusals import or_refuse


@dataclass(frozen=True)
class Shown:
    """An activity and its places; None: no registration is needed."""

    activity: Activity
    places: Places | None


@dataclass(frozen=True)
class Placed:
    """A registration, its position on the waiting list if it waits, and its activity."""

    registration: Registration
    position: int | None
    activity: Activity


async def activity(db: Database, activity_id: str) -> Shown:
    """Return an activity with its places. Raises NoSuchActivity."""
    found = await _activity(db, activity_id)
    places = await store.find_places(db, [activity_id])
    return Shown(found, places.get(activity_id))


async def _activity(db: Database, activity_id: str) -> Activity:
    return or_refuse(await store.find_activity(db, activity_id), refusals.NoSuchActivity)


async def recording(db: Database, activity_id: str, now: datetime) -> tuple[str, datetime]:
    """Return the address of an activity's recording and the instant of its release.

    Raises NoSuchActivity, NoRecording, or NotYetReleased if `now` is before the release. Only the
    time decides, not whether the job has announced the release.
    """
    await _activity(db, activity_id)
    found = or_refuse(await store.find_recording(db, activity_id), refusals.NoRecording)
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
    """Return activities not over at `since`, ordered by their start, at most `limit`.

    `after` is the start and id of the last activity seen.
    """
    found = await store.list_activities(
        db, type_=type_, branch=branch, since=since, after=after, limit=limit
    )
    places = await store.find_places(db, [one.id for one in found])
    return [Shown(one, places.get(one.id)) for one in found]


async def inside(db: Database, closed: Sequence[Closed], limit: int) -> tuple[list[Shown], int]:
    """Return activities inside closures, ordered by start, at most `limit`, and their total."""
    found, total = await store.list_inside(db, closed, limit)
    places = await store.find_places(db, [one.id for one in found])
    return [Shown(one, places.get(one.id)) for one in found], total


async def releases_due(db: Database, now: datetime, limit: int) -> list[str]:
    """Return the ids of activities with a recording's release to announce, at most `limit`."""
    return await store.releases_due(db, now, limit)


async def registration(db: Database, activity_id: str, patron_id: str) -> Placed:
    """Return a patron's registration for an activity. Raises NoSuchActivity or NotRegistered."""
    activity = await _activity(db, activity_id)
    found = or_refuse(
        await store.find_registration_of(db, activity_id, patron_id), refusals.NotRegistered
    )
    return Placed(found, await store.position(db, found), activity)


async def registrations_of(db: Database, patron_id: str) -> list[Registration]:
    """Return a patron's registrations, in the order of registering."""
    return await store.find_registrations_of(db, patron_id)


async def registrations_to_come(
    db: Database, patron_id: str, today: date, zone: ZoneInfo
) -> list[Placed]:
    """Return a patron's registrations for activities not over before `today`, ordered by start."""
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
    """Return an activity's registrations after a turn, each with its waiting-list position or None.

    Raises NoSuchActivity.
    """
    await _activity(db, activity_id)
    found = await store.list_registrations(db, activity_id, after, limit)
    return list(zip(found, await _positions(db, found), strict=True))


@dataclass(frozen=True)
class Attendance:
    """The numbers of patrons who have a place in an activity, and of those who attended."""

    registered: int
    attended: int


async def attendance(db: Database, activity_id: str) -> Attendance:
    """Return the attendance of an activity. Raises NoSuchActivity or NoRegistrationNeeded."""
    await _activity(db, activity_id)
    places = (await store.find_places(db, [activity_id])).get(activity_id)
    if places is None:
        raise refusals.NoRegistrationNeeded
    return Attendance(places.taken, await store.count_attended(db, activity_id))


async def _positions(db: Database, in_turn: Sequence[Registration]) -> list[int | None]:
    """Compute all positions from one query for the first, because the list is in turn."""
    waiting = [one for one in in_turn if one.state is RegistrationState.WAITLISTED]
    first = await store.position(db, waiting[0]) if waiting else None
    places = {one.id: (first or 0) + number for number, one in enumerate(waiting)}
    return [places.get(one.id) for one in in_turn]


async def unfinished(db: Database) -> dict[str, datetime]:
    """Return the activities with a change that a job must continue, with its business time."""
    return await store.unfinished(db)
