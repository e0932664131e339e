"""Bookings of single sessions in study rooms, outside any season."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from services.events.bookings import refusals
from services.events.seasons.refusals import CheckedInAlready, NoSessionNow, PlaceLapsed
from services.events.seasons.rules.season import Session
from services.events.seasons.rules.seat import EARLY

State = Literal["booked", "checked-in", "lapsed", "cancelled"]
"""`booked` until the patron comes, cancels, or does not come in time."""
Ending = Literal["patron", "erased"]
"""Cause of a cancellation: by the patron, or because the patron was erased."""


@dataclass(frozen=True, kw_only=True)
class StudyRoom:
    """A study room of which patrons book single sessions, with its rules."""

    id: str
    """Code of the branch."""
    places: int
    """Number of places in a session; 0: nobody can book."""
    sessions: Sequence[Session]
    days_ahead: int
    """Number of days from today on after which nobody can book yet."""
    most_bookings: int
    """Number of bookings that a patron may have in this room at a time."""
    grace_minutes: int
    """Minutes for which a place is held."""
    version: int = 1


@dataclass(frozen=True, kw_only=True)
class Slot:
    """One session of one day in one room. All changes of its bookings write it, and so conflict."""

    id: str
    branch: str
    starts_at: datetime
    ends_at: datetime
    taken: int = 0
    """Number of bookings that have not ended."""
    version: int = 1


@dataclass(frozen=True, kw_only=True)
class Booking:
    """A patron's place in one session. It is deleted when it ends, or when its session is over."""

    id: str
    slot_id: str
    branch: str
    patron_id: str
    starts_at: datetime
    ends_at: datetime
    until: datetime
    """Time until which the patron can come; then the place is free for others."""
    booked_at: datetime
    code: str = field(default="", repr=False)
    """Secret code, for the door."""
    state: State = "booked"
    version: int = 1


def check_room(room: StudyRoom) -> None:
    """Raise BadRoom if the sessions overlap or are not in order."""
    edges = [edge for one in room.sessions for edge in (one.opens, one.closes)]
    if edges != sorted(set(edges)):
        raise refusals.BadRoom


def slots_of(room: StudyRoom, day: date, zone: ZoneInfo) -> list[Slot]:
    """Return the sessions of a day, as they are before anyone books."""
    return [
        Slot(
            id=f"{room.id}.{day}.{one.opens}-{one.closes}",
            branch=room.id,
            starts_at=_instant(day, one.opens, zone),
            ends_at=_instant(day, one.closes, zone),
        )
        for one in room.sessions
    ]


def slot_to_book(
    room: StudyRoom, day: date, session: int, *, now: datetime, zone: ZoneInfo
) -> Slot:
    """Return a session of a day by its ordinal, as it is before anyone books.

    Raises NoSuchSession, TooFarAhead or SessionOver.
    """
    slots = slots_of(room, day, zone)
    if not 1 <= session <= len(slots):
        raise refusals.NoSuchSession
    if day > now.astimezone(zone).date() + timedelta(days=room.days_ahead):
        raise refusals.TooFarAhead
    if slots[session - 1].ends_at <= now:
        raise refusals.SessionOver
    return slots[session - 1]


def book(
    room: StudyRoom,
    slot: Slot,
    own: Sequence[Booking],
    *,
    booking_id: str,
    patron_id: str,
    code: str,
    now: datetime,
) -> tuple[Slot, Booking]:
    """Book a place; return the session with it and the booking.

    `own` are the patron's bookings in this room. Raises BookedAlready, TooManyBookings or
    SessionFull.
    """
    if any(one.slot_id == slot.id for one in own):
        raise refusals.BookedAlready
    if sum(one.state == "booked" for one in own) >= room.most_bookings:
        raise refusals.TooManyBookings
    if slot.taken >= room.places:
        raise refusals.SessionFull
    held_from = max(slot.starts_at, now)
    booking = Booking(
        id=booking_id,
        slot_id=slot.id,
        branch=room.id,
        patron_id=patron_id,
        starts_at=slot.starts_at,
        ends_at=slot.ends_at,
        until=min(held_from + timedelta(minutes=room.grace_minutes), slot.ends_at),
        booked_at=now,
        code=code,
    )
    return _counted(slot, 1), booking


def check_in(booking: Booking, now: datetime) -> Booking:
    """Return a booking whose patron comes.

    Raises CheckedInAlready, PlaceLapsed, or NoSessionNow before patrons may come in.
    """
    if booking.state == "checked-in":
        raise CheckedInAlready
    if booking.until <= now:
        raise PlaceLapsed
    if now < booking.starts_at - EARLY:
        raise NoSessionNow
    return replace(booking, state="checked-in", version=booking.version + 1)


def cancel(slot: Slot, booking: Booking) -> tuple[Slot, Booking]:
    """Return the session without a booking, and its last state."""
    return _ended(slot, booking, "cancelled")


def lapse(slot: Slot, booking: Booking) -> tuple[Slot, Booking]:
    """Return the session without a booking whose patron did not come, and its last state."""
    return _ended(slot, booking, "lapsed")


def end_all(slot: Slot, bookings: Sequence[Booking]) -> tuple[Slot, list[Booking]]:
    """Return the session without some bookings, and their last states, as a closure ends them."""
    ended = [replace(one, state="cancelled", version=one.version + 1) for one in bookings]
    return _counted(slot, -len(ended)), ended


def restore(
    room: StudyRoom | None,
    slot: Slot,
    ended: Booking,
    others: Sequence[Booking],
    now: datetime,
) -> tuple[Slot, Booking] | None:
    """Return the session with a booking that a closure ended, and that booking.

    `others` are the patron's bookings in all rooms. None if the session is over, its places are
    booked, or the patron has another booking at that time. How many bookings the patron has made
    meanwhile does not matter.
    """
    overlaps = any(
        one.starts_at < ended.ends_at and ended.starts_at < one.ends_at for one in others
    )
    if room is None or slot.taken >= room.places or overlaps or ended.ends_at <= now:
        return None
    held_from = max(slot.starts_at, now)
    until = min(held_from + timedelta(minutes=room.grace_minutes), slot.ends_at)
    restored = replace(ended, state="booked", until=until, version=ended.version + 1)
    return _counted(slot, 1), restored


def check_cancellation(booking: Booking, now: datetime) -> None:
    """Raise CheckedInAlready or PlaceLapsed if it is too late to cancel."""
    if booking.state == "checked-in":
        raise CheckedInAlready
    if booking.until <= now:
        raise PlaceLapsed


def _ended(slot: Slot, booking: Booking, state: State) -> tuple[Slot, Booking]:
    return _counted(slot, -1), replace(booking, state=state, version=booking.version + 1)


def _counted(slot: Slot, change: int) -> Slot:
    return replace(slot, taken=slot.taken + change, version=slot.version + 1)


def _instant(day: date, clock: str, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time.fromisoformat(clock), zone).astimezone(UTC)
