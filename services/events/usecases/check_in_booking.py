"""Let a patron in to a session that they booked, by the code of the booking."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from services.events import store
from services.events.domain import booking as rules
from services.events.domain.booking import Booking
from services.events.domain.booking_refusals import NoSuchBooking
from services.events.domain.refusals import NoSessionNow
from services.events.usecases.booking_events import record_booking
from shared.clock import library_day
from shared.contracts.events import BookingCheckedIn
from shared.unit_of_work import Work


@dataclass(frozen=True)
class CheckInBooking:
    """The room, the code of a booking, and the library's time zone."""

    branch: str
    code: str
    zone: ZoneInfo


def check_in_booking(work: Work, command: CheckInBooking) -> Booking:
    """Let the patron in and return the booking.

    Raises NoSuchBooking, NoSessionNow, CheckedInAlready or PlaceLapsed.
    """
    booking = store.bookings.booking_with_code(work, command.branch, command.code)
    if booking is None:
        raise NoSuchBooking
    calendar = store.calendars.get(work, command.branch)
    if calendar and not calendar.has_sessions(library_day(booking.starts_at, command.zone)):
        raise NoSessionNow
    taken = rules.check_in(booking, work.now)
    store.bookings.save(work, taken)
    record_booking(work, BookingCheckedIn, taken)
    return taken
