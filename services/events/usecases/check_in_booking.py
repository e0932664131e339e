"""Let a patron in to a session that they booked, by the code of the booking."""

from dataclasses import dataclass

from services.events import store
from services.events.domain import booking as rules
from services.events.domain.booking import Booking
from services.events.domain.booking_refusals import NoSuchBooking
from services.events.usecases.booking_events import record_booking
from shared.contracts.events import BookingCheckedIn
from shared.unit_of_work import Work


@dataclass(frozen=True)
class CheckInBooking:
    """The room, and the code of a booking."""

    branch: str
    code: str


async def check_in_booking(work: Work, command: CheckInBooking) -> Booking:
    """Let the patron in and return the booking.

    Raises NoSuchBooking, NoSessionNow, CheckedInAlready or PlaceLapsed.
    """
    booking = await store.bookings.booking_with_code(work, command.branch, command.code)
    if booking is None:
        raise NoSuchBooking
    taken = rules.check_in(booking, work.now)
    await store.bookings.save(work, taken)
    record_booking(work, BookingCheckedIn, taken)
    return taken
