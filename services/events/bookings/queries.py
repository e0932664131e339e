"""Reads of study rooms and bookings."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from services.events.bookings import store
from services.events.bookings.refusals import NoSuchBooking, NoSuchStudyRoom
from services.events.bookings.rules import Booking, Slot, StudyRoom, slots_of
from services.events.calendars import store as calendars_store
from services.events.seasons.store import seasons as seasons_store
from shared.mongo import Database
from shared.refusals import or_refuse


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
    room = or_refuse(await store.find_room(db, branch), NoSuchStudyRoom)
    calendar = (await calendars_store.find(db, [branch])).get(branch)
    closed = calendar is not None and not calendar.has_sessions(day)
    if await seasons_store.find_room_on(db, branch, day.isoformat()):
        return StudyDay(room, in_season=True, closed=closed, sessions=())
    if closed:
        return StudyDay(room, in_season=False, closed=True, sessions=())
    ahead = [
        (number, slot)
        for number, slot in enumerate(slots_of(room, day, zone), 1)
        if slot.ends_at > now
    ]
    taken = await store.find_taken(db, {slot.id for _, slot in ahead})
    sessions = [
        FreeSession(number, slot, max(room.places - taken.get(slot.id, 0), 0))
        for number, slot in ahead
    ]
    return StudyDay(room, in_season=False, closed=False, sessions=sessions)


async def bookings_of_day(
    db: Database, branch: str, now: datetime, zone: ZoneInfo, limit: int
) -> list[Booking]:
    """Return the bookings of a room for the sessions of today that are not over."""
    midnight = datetime.combine(now.astimezone(zone).date() + timedelta(days=1), time(), zone)
    return await store.find_between(db, branch, now, midnight.astimezone(UTC), limit)


async def bookings_to_come(db: Database, patron_id: str, now: datetime) -> list[Booking]:
    """Return a patron's bookings of sessions that are not over, the earliest session first."""
    found = await store.find_of(db, patron_id)
    return [one for one in found if now < one.ends_at]


async def own_booking(db: Database, booking_id: str, patron_id: str) -> Booking:
    """Return a patron's own booking. Raises NoSuchBooking, also for that of somebody else."""
    found = await store.find_one(db, booking_id)
    if found is None or found.patron_id != patron_id:
        raise NoSuchBooking
    return found
