"""Book sessions in study rooms, check in, cancel, and let bookings lapse."""

import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from zoneinfo import ZoneInfo

from services.events.bookings import refusals, rules, store
from services.events.bookings.events import record_booking, record_cancelled
from services.events.bookings.rules import Booking, Slot, StudyRoom, check_room
from services.events.calendars import store as calendars_store
from services.events.patrons import store as patrons_store
from services.events.refusals import NoSuchBranch, NoSuchPatron
from services.events.seasons.commands.applications import CODE_BYTES
from services.events.seasons.refusals import NoSessionNow
from services.events.seasons.store import seasons as seasons_store
from shared.clock import library_day
from shared.contracts.events import BookingCheckedIn, BookingLapsed, BookingMade
from shared.ids import new_id
from shared.refusals import or_refuse
from shared.unit_of_work import Work


def book_session(
    work: Work, *, patron_id: str, branch: str, day: date, session: int, zone: ZoneInfo
) -> Booking:
    """Book the place and return the booking.

    Raises NoSuchStudyRoom, NoSuchSession, TooFarAhead, SessionOver, LibraryClosed, RoomInSeason,
    NoSuchPatron, BookedAlready, TooManyBookings or SessionFull.
    """
    room = or_refuse(store.room(work, branch), refusals.NoSuchStudyRoom)
    fresh = rules.slot_to_book(room, day, session, now=work.now, zone=zone)
    # Written, so that a closure or a season that comes at the same moment conflicts.
    calendar = calendars_store.hold(work, branch)
    if calendar and not calendar.has_sessions(day):
        raise refusals.LibraryClosed
    if seasons_store.has_room_on(work, branch, day.isoformat()):
        raise refusals.RoomInSeason
    # Written before the bookings are read: concurrent bookings of one patron conflict in it.
    if not patrons_store.hold_patron(work, patron_id):
        raise NoSuchPatron
    stored = store.slot(work, fresh.id)
    counted, booking = rules.book(
        room,
        stored or fresh,
        store.bookings_of(work, room.id, patron_id),
        booking_id=new_id(),
        patron_id=patron_id,
        code=secrets.token_hex(CODE_BYTES).upper(),
        now=work.now,
    )
    if stored is None:
        store.add_slot(work, counted)
    else:
        store.save_slot(work, counted)
    store.add(work, booking)
    record_booking(work, BookingMade, booking)
    return booking


def check_in_booking(work: Work, branch: str, code: str, zone: ZoneInfo) -> Booking:
    """Let the patron in and return the booking.

    Raises NoSuchBooking, NoSessionNow, CheckedInAlready or PlaceLapsed.
    """
    booking = or_refuse(store.booking_with_code(work, branch, code), refusals.NoSuchBooking)
    calendar = calendars_store.get(work, branch)
    if calendar and not calendar.has_sessions(library_day(booking.starts_at, zone)):
        raise NoSessionNow
    taken = rules.check_in(booking, work.now)
    store.save(work, taken)
    record_booking(work, BookingCheckedIn, taken)
    return taken


def cancel_booking(work: Work, patron_id: str, booking_id: str) -> Booking:
    """Cancel the booking, so that its place is free, and return its last state.

    Raises NoSuchBooking, also for a booking of somebody else, CheckedInAlready or PlaceLapsed.
    """
    booking = store.booking(work, booking_id)
    if booking is None or booking.patron_id != patron_id:
        raise refusals.NoSuchBooking
    rules.check_cancellation(booking, work.now)
    slot, ended = rules.cancel(_slot(work, booking), booking)
    _end(work, slot, booking)
    record_cancelled(work, ended, "patron")
    return ended


def purge_booking(work: Work, booking_id: str) -> bool:
    """End and delete the booking of an erased patron; return False if it had ended."""
    booking = store.booking(work, booking_id)
    if booking is None:
        return False
    slot, ended = rules.cancel(_slot(work, booking), booking)
    _end(work, slot, booking)
    record_cancelled(work, ended, "erased")
    return True


def lapse_booking(work: Work, booking_id: str, zone: ZoneInfo) -> bool:
    """End a booking whose patron did not come in time; return False if it is not due.

    None is due on a day on which the library is closed: those end in another way.
    """
    booking = store.booking(work, booking_id)
    if booking is None or booking.state != "booked" or work.now < booking.until:
        return False
    calendar = calendars_store.get(work, booking.branch)
    if calendar and not calendar.has_sessions(library_day(booking.starts_at, zone)):
        return False
    slot, ended = rules.lapse(_slot(work, booking), booking)
    _end(work, slot, booking)
    record_booking(work, BookingLapsed, ended)
    return True


def purge_sessions(work: Work, slot_ids: Sequence[str]) -> int:
    """Delete sessions that are over, with the bookings of patrons who came; return the number."""
    return store.delete_over(work, slot_ids)


def _slot(work: Work, booking: Booking) -> Slot:
    slot = store.slot(work, booking.slot_id)
    if slot is None:
        raise LookupError(f"the booking {booking.id} is in no session")
    return slot


def _end(work: Work, slot: Slot, booking: Booking) -> None:
    store.save_slot(work, slot)
    store.delete(work, booking)


def set_study_room(work: Work, wanted: StudyRoom) -> StudyRoom:
    """Set the rules of a room, new or known; bookings stay. Return it.

    Raises BadRoom or NoSuchBranch.
    """
    check_room(wanted)
    if unknown := calendars_store.unknown(work, [wanted.id]):
        raise NoSuchBranch(branches=", ".join(sorted(unknown)))
    known = store.room(work, wanted.id)
    if known is None:
        store.add_room(work, wanted)
        return wanted
    changed = replace(wanted, version=known.version + 1)
    store.save_room(work, changed)
    return changed
