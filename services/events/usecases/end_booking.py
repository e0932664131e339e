"""End bookings: cancelled by the patron, of an erased patron, lapsed, or long over."""

from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from services.events import store
from services.events.domain import booking as rules
from services.events.domain.booking import Booking, Slot
from services.events.domain.booking_refusals import NoSuchBooking
from services.events.usecases.booking_events import record_booking, record_cancelled
from shared.clock import library_day
from shared.contracts.events import BookingLapsed
from shared.unit_of_work import Work


@dataclass(frozen=True)
class CancelBooking:
    """A patron, and the booking to cancel."""

    patron_id: str
    booking_id: str


@dataclass(frozen=True)
class LapseBooking:
    """A booking whose time to come may be over, and the library's time zone."""

    booking_id: str
    zone: ZoneInfo


def cancel_booking(work: Work, command: CancelBooking) -> Booking:
    """Cancel the booking, so that its place is free, and return its last state.

    Raises NoSuchBooking, also for a booking of somebody else, CheckedInAlready or PlaceLapsed.
    """
    booking = store.bookings.booking(work, command.booking_id)
    if booking is None or booking.patron_id != command.patron_id:
        raise NoSuchBooking
    rules.check_cancellation(booking, work.now)
    slot, ended = rules.cancel(_slot(work, booking), booking)
    _end(work, slot, booking)
    record_cancelled(work, ended, "patron")
    return ended


def purge_booking(work: Work, booking_id: str) -> bool:
    """End and delete the booking of an erased patron; return False if it had ended."""
    booking = store.bookings.booking(work, booking_id)
    if booking is None:
        return False
    slot, ended = rules.cancel(_slot(work, booking), booking)
    _end(work, slot, booking)
    record_cancelled(work, ended, "erased")
    return True


def lapse_booking(work: Work, command: LapseBooking) -> bool:
    """End a booking whose patron did not come in time; return False if it is not due.

    None is due on a day on which the library is closed: those end in another way.
    """
    booking = store.bookings.booking(work, command.booking_id)
    if booking is None or booking.state != "booked" or work.now < booking.until:
        return False
    calendar = store.calendars.get(work, booking.branch)
    if calendar and not calendar.has_sessions(library_day(booking.starts_at, command.zone)):
        return False
    slot, ended = rules.lapse(_slot(work, booking), booking)
    _end(work, slot, booking)
    record_booking(work, BookingLapsed, ended)
    return True


def purge_sessions(work: Work, slot_ids: Sequence[str]) -> int:
    """Delete sessions that are over, with the bookings of patrons who came; return the number."""
    return store.bookings.delete_over(work, slot_ids)


def _slot(work: Work, booking: Booking) -> Slot:
    slot = store.bookings.slot(work, booking.slot_id)
    if slot is None:
        raise LookupError(f"the booking {booking.id} is in no session")
    return slot


def _end(work: Work, slot: Slot, booking: Booking) -> None:
    store.bookings.save_slot(work, slot)
    store.bookings.delete(work, booking)
