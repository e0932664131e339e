"""The events of a booking, recorded by the use cases that change one."""

from typing import Any

from services.events.bookings.rules import Booking, Ending
from shared.contracts.events import BookingCancelled, BookingEndedByClosure, BookingSnapshot
from shared.unit_of_work import Work


def record_booking(work: Work, kind: type[BookingSnapshot], booking: Booking) -> None:
    """Record an event of `kind` with the booking's current state."""
    work.record(kind(**booking_fields(booking)))


def record_cancelled(work: Work, booking: Booking, by: Ending) -> None:
    """Record that a booking was cancelled."""
    work.record(BookingCancelled(**booking_fields(booking), by=by))


def record_ended_by_closure(work: Work, booking: Booking, closure_id: str | None) -> None:
    """Record that a booking has ended because the library is closed on its day."""
    work.record(BookingEndedByClosure(**booking_fields(booking), closure_id=closure_id))


def booking_fields(booking: Booking) -> dict[str, Any]:
    """Return the fields that every event about a booking has. The code is not among them."""
    return {
        "version": booking.version,
        "booking_id": booking.id,
        "patron_id": booking.patron_id,
        "branch": booking.branch,
        "starts_at": booking.starts_at,
        "ends_at": booking.ends_at,
        "until": booking.until,
        "state": booking.state,
    }
