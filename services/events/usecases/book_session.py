"""Book a place in one session of a study room."""

import secrets
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from services.events import store
from services.events.domain import booking as rules
from services.events.domain.booking import Booking
from services.events.domain.booking_refusals import LibraryClosed, NoSuchStudyRoom, RoomInSeason
from services.events.domain.refusals import NoSuchPatron
from services.events.usecases.apply_for_season import CODE_BYTES
from services.events.usecases.booking_events import record_booking
from shared.contracts.events import BookingMade
from shared.ids import new_id
from shared.unit_of_work import Work


@dataclass(frozen=True)
class BookSession:
    """A patron, the session of a day in a room by its ordinal, and the library's time zone."""

    patron_id: str
    branch: str
    day: date
    session: int
    zone: ZoneInfo


def book_session(work: Work, command: BookSession) -> Booking:
    """Book the place and return the booking.

    Raises NoSuchStudyRoom, NoSuchSession, TooFarAhead, SessionOver, LibraryClosed, RoomInSeason,
    NoSuchPatron, BookedAlready, TooManyBookings or SessionFull.
    """
    room = store.bookings.room(work, command.branch)
    if room is None:
        raise NoSuchStudyRoom
    fresh = rules.slot_to_book(room, command.day, command.session, now=work.now, zone=command.zone)
    # Written, so that a closure or a season that comes at the same moment conflicts.
    calendar = store.calendars.hold(work, command.branch)
    if calendar and not calendar.has_sessions(command.day):
        raise LibraryClosed
    if store.seasons.has_room_on(work, command.branch, command.day.isoformat()):
        raise RoomInSeason
    # Written before the bookings are read: concurrent bookings of one patron conflict in it.
    if not store.hold_patron(work, command.patron_id):
        raise NoSuchPatron
    stored = store.bookings.slot(work, fresh.id)
    counted, booking = rules.book(
        room,
        stored or fresh,
        store.bookings.bookings_of(work, room.id, command.patron_id),
        booking_id=new_id(),
        patron_id=command.patron_id,
        code=secrets.token_hex(CODE_BYTES).upper(),
        now=work.now,
    )
    if stored is None:
        store.bookings.add_slot(work, counted)
    else:
        store.bookings.save_slot(work, counted)
    store.bookings.add(work, booking)
    record_booking(work, BookingMade, booking)
    return booking
