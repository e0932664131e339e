"""Notifications about bookings in study rooms that closures end, and that count again."""

from datetime import UTC, datetime
from typing import Any

from services.notices.kinds.kind import kind_of
from shared.clock import parse_instant
from shared.contracts.events import BookingEndedByClosure, BookingRestored
from shared.unit_of_work import Origin, Run
from tests import samples
from tests.notices.lending import Lending
from tests.notices.library import hear, register, texts
from tests.support import Api

BEFORE = "2021-03-01T10:00:00+08:00"
BEGINS: dict[str, Any] = {
    "starts_at": datetime(2021, 3, 2, 1, tzinfo=UTC),
    "ends_at": datetime(2021, 3, 2, 5, tzinfo=UTC),
}
ENDED = samples.booking(BookingEndedByClosure, 2, patron_id="p", state="cancelled", **BEGINS)
RESTORED = samples.booking(BookingRestored, 3, patron_id="p", **BEGINS)


async def test_a_patron_is_told_of_a_booking_that_ends_and_of_its_return(
    api: Api, lending: Lending
) -> None:
    await register(api, "HKCL")
    await hear(api, ENDED, "e-1", BEFORE)
    await hear(api, RESTORED, "e-2", "2021-03-01T11:00:00+08:00")
    back, ended = await texts(api, "p")
    assert "closed on 2 March 2021 at 9:00 am. Your booking for then has ended." in ended
    assert "open on 2 March 2021 at 9:00 am after all. Your booking for then counts again." in back


async def test_nobody_is_told_after_the_session(api: Api, lending: Lending) -> None:
    await hear(api, ENDED, "e-1", "2021-03-02T13:00:00+08:00")
    assert await texts(api, "p") == []


async def test_an_email_says_only_what_is_still_true(api: Api, lending: Lending) -> None:
    """The closure may be withdrawn, or come back, before the e-mail is sent."""

    async def sent(clock: str) -> list[str]:
        run = Run(api.app.state.unit_of_work, Origin(now=parse_instant(clock)))
        about = [(event.topic, await kind_of(event.topic).of(event, run)) for event in both]
        return [topic for topic, facts in about if facts and await facts.current(run)]

    both = (ENDED, RESTORED)
    assert await sent(BEFORE) == ["booking.ended-by-closure"]
    lending.booked = {"booking-1"}
    assert await sent(BEFORE) == ["booking.restored"]
    assert await sent("2021-03-02T09:00:00+08:00") == []
