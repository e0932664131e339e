"""Queries of events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from services.events import store
from services.events.domain.activity import Activity, Closed, address, last_day
from services.events.domain.ballot import Entry, Outcome, draw
from services.events.domain.booking import Booking, Slot, StudyRoom, slots_of
from services.events.domain.booking_refusals import NoSuchBooking, NoSuchStudyRoom
from services.events.domain.refusals import (
    NoRecording,
    NoRegistrationNeeded,
    NoSuchActivity,
    NoSuchSeason,
    NotApplied,
    NotClosed,
    NotRegistered,
)
from services.events.domain.registration import Places, Registration, RegistrationState
from services.events.domain.season import Application, Season
from services.events.domain.seat import Sitting, sittings_of
from shared.mongo import Database


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
    found = await store.find_activity(db, activity_id)
    if found is None:
        raise NoSuchActivity
    return found


async def recording(db: Database, activity_id: str, now: datetime) -> tuple[str, datetime]:
    """Return the address of an activity's recording and the instant of its release.

    Raises NoSuchActivity, NoRecording, or NotYetReleased if `now` is before the release. Only the
    time decides, not whether the job has announced the release.
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
    found = await store.find_registration_of(db, activity_id, patron_id)
    if found is None:
        raise NotRegistered
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
        raise NoRegistrationNeeded
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


@dataclass(frozen=True)
class Admission:
    """A patron's application with its season."""

    application: Application
    season: Season
    place_until: datetime | None
    """Time until which a place is held for a patron on the standby list; None if none is."""


@dataclass(frozen=True)
class Published:
    """The ballot of a season as everyone sees it: `outcomes` is empty before the draw."""

    season: Season
    entries: Sequence[Entry]
    outcomes: Mapping[str, Outcome]


async def season(db: Database, season_id: str) -> Season:
    """Return a season. Raises NoSuchSeason."""
    found = await store.seasons.find_one(db, season_id)
    if found is None:
        raise NoSuchSeason
    return found


async def published_ballot(db: Database, season_id: str) -> Published:
    """Return the closed list of a season, and the result once it is drawn.

    Raises NoSuchSeason, or NotClosed while patrons can still apply.
    """
    found = await season(db, season_id)
    ballot = await store.seasons.find_ballot(db, season_id)
    if ballot is None:
        raise NotClosed
    outcomes = draw(ballot.entries, found.rooms, found.seed) if found.seed else {}
    return Published(found, ballot.entries, outcomes)


async def admission(db: Database, season_id: str, patron_id: str, now: datetime) -> Admission:
    """Return a patron's application for a season. Raises NoSuchSeason or NotApplied."""
    found = await season(db, season_id)
    application = await store.seasons.find_application_of(db, season_id, patron_id)
    if application is None:
        raise NotApplied
    return Admission(application, found, await _place_until(db, application, now))


async def admissions_to_come(
    db: Database, patron_id: str, now: datetime, today: date
) -> list[Admission]:
    """Return a patron's applications for seasons that are not over, by their end."""
    found = await store.seasons.find_applications_of(db, patron_id)
    seasons = await store.seasons.find_by_id(db, {one.season_id for one in found})
    ahead = [
        Admission(one, seasons[one.season_id], await _place_until(db, one, now))
        for one in found
        if seasons[one.season_id].valid_until >= today
    ]
    return sorted(ahead, key=lambda one: (one.season.valid_until, one.application.id))


async def sittings_with_work(
    db: Database, now: datetime, zone: ZoneInfo
) -> list[tuple[str, Sitting]]:
    """Return the sittings to open, or with places to pass on, each with the id of its season.

    Those of yesterday too, whose last places lapse with them. One that is over is not opened, and
    none has work while the library is closed.
    """
    today = now.astimezone(zone).date()
    begun: list[tuple[str, Sitting]] = []
    for day in (today - timedelta(days=1), today):
        for one in await store.seasons.find_valid(db, day.isoformat()):
            for room in one.rooms:
                sittings = sittings_of(one, room.branch, day, zone)
                begun += [(one.id, each) for each in sittings if each.starts_at <= now]
    calendars = await store.calendars.find(db, {sitting.branch for _, sitting in begun})
    begun = [
        (season_id, sitting)
        for season_id, sitting in begun
        if sitting.branch not in calendars or calendars[sitting.branch].has_sessions(sitting.day)
    ]
    ids = {sitting.id for _, sitting in begun}
    opened = await store.seats.find_opened(db, ids)
    due = await store.seats.find_due(db, ids, now)
    return [
        (season_id, sitting)
        for season_id, sitting in begun
        if sitting.id in due or (sitting.id not in opened and now < sitting.ends_at)
    ]


async def _place_until(db: Database, application: Application, now: datetime) -> datetime | None:
    """Return until when a place is held for a patron on the standby list; None if none is."""
    seat = await store.seats.find_place_of(db, application.id, now)
    return None if seat is None else seat.until


@dataclass(frozen=True)
class FreeSession:
    """A session of a day by its ordinal, with the number of places that nobody has booked."""

    session: int
    slot: Slot
    left: int


@dataclass(frozen=True)
class StudyDay:
    """A study room with the sessions of a day that are not over.

    None in a season, or if the library is closed.
    """

    room: StudyRoom
    in_season: bool
    closed: bool
    sessions: Sequence[FreeSession]


async def study_day(
    db: Database, branch: str, day: date, now: datetime, zone: ZoneInfo
) -> StudyDay:
    """Return a study room with its sessions of a day. Raises NoSuchStudyRoom."""
    room = await store.bookings.find_room(db, branch)
    if room is None:
        raise NoSuchStudyRoom
    calendar = (await store.calendars.find(db, [branch])).get(branch)
    closed = calendar is not None and not calendar.has_sessions(day)
    if await store.seasons.find_room_on(db, branch, day.isoformat()):
        return StudyDay(room, in_season=True, closed=closed, sessions=())
    if closed:
        return StudyDay(room, in_season=False, closed=True, sessions=())
    ahead = [
        (number, slot)
        for number, slot in enumerate(slots_of(room, day, zone), 1)
        if slot.ends_at > now
    ]
    taken = await store.bookings.find_taken(db, {slot.id for _, slot in ahead})
    sessions = [
        FreeSession(number, slot, max(room.places - taken.get(slot.id, 0), 0))
        for number, slot in ahead
    ]
    return StudyDay(room, in_season=False, closed=False, sessions=sessions)


async def bookings_to_come(db: Database, patron_id: str, now: datetime) -> list[Booking]:
    """Return a patron's bookings of sessions that are not over, the earliest session first."""
    found = await store.bookings.find_of(db, patron_id)
    return [one for one in found if now < one.ends_at]


async def own_booking(db: Database, booking_id: str, patron_id: str) -> Booking:
    """Return a patron's own booking. Raises NoSuchBooking, also for that of somebody else."""
    found = await store.bookings.find_one(db, booking_id)
    if found is None or found.patron_id != patron_id:
        raise NoSuchBooking
    return found
