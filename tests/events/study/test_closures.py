"""Study rooms on days on which the library is closed: nobody is let in, absent or expected."""

import asyncio
import random
from collections import Counter
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from services.events.closures.commands import settle_calendar
from shared.clock import parse_instant
from shared.contracts.calendars import (
    Announcement,
    ClosureOut,
    Hours,
    Period,
    ServiceHours,
    WeeklyHours,
)
from shared.contracts.notices import BranchClosed, BranchClosureChanged, BranchSnapshot
from shared.unit_of_work import Origin, Run
from tests import samples
from tests.events.programme import events, hear
from tests.events.study.season import SEASON, STAFF, announced
from tests.events.study.test_bookings import (
    DAY,
    PATH,
    ROOM,
    at,
    book,
    booked,
    cancel,
    enter,
    findings,
    free,
    own,
    room,
)
from tests.events.study.test_bookings import job as bookings_job
from tests.events.study.test_sessions import enter as enter_season
from tests.events.study.test_sessions import in_order
from tests.events.study.test_sessions import job as standby_job
from tests.events.test_registrations import erase
from tests.support import Answer, Api, token

HONG_KONG = ZoneInfo("Asia/Hong_Kong")
NOTICES = token("notices", ["service"])
CLOSED_ON = date(2021, 3, 2)
SEASON_DAY = date(2021, 3, 20)
NOW = at("08:00")


def closed(
    version: int, first: date = CLOSED_ON, reopened_on: date | None = None, **more: Any
) -> BranchSnapshot:
    """The branch closed for one day, or until `reopened_on`."""
    end = reopened_on or first + timedelta(days=1)
    closure = samples.closure("closure-1", first, (version, end))
    return samples.branch(BranchClosed, version, **{"closures": (closure,), **more})


def opened(version: int) -> BranchSnapshot:
    """The branch after the closure was withdrawn as recorded in error."""
    said = (
        Announcement(version=2, at=parse_instant(NOW), reopened_on=date(2021, 3, 3)),
        Announcement(version=version, at=parse_instant(NOW), reopened_on=CLOSED_ON, in_error=True),
    )
    closure = ClosureOut(closure_id="closure-1", from_=CLOSED_ON, reason="x", announcements=said)
    return samples.branch(
        BranchClosureChanged, version, closures=(closure,), change="withdrawn-in-error"
    )


async def publish(api: Api, event: BranchSnapshot, clock: str = NOW) -> None:
    """Deliver a branch's calendar and let the study room follow it."""
    await hear(api, event, f"{event.topic}-{event.version}", clock)
    await api.job("events/closures", at=clock)


async def kept(api: Api) -> int:
    """Return the number of bookings that may come back."""
    return int(await api.app.state.database.study_closed_bookings.count_documents({}))


async def test_a_booking_in_a_closure_ends_once_on_two_replicas(api: Api, replica: Api) -> None:
    await room(api, places=2)
    one, two = await booked(api, "a"), await booked(api, "b")
    later = await booked(api, "a", day="2021-03-03")
    deliveries = [(which, closed(2)) for which in (api, replica) for _ in range(3)]
    random.shuffle(deliveries)
    await asyncio.gather(*(hear(which, event, "e-2", NOW) for which, event in deliveries))
    done = await asyncio.gather(
        *(which.job("events/closures", at=NOW) for which in (api, replica) * 3)
    )
    assert sum(done) == 2
    told = await events(api, "booking.ended-by-closure")
    assert {(t["booking_id"], t["state"], t["version"], t["closure_id"]) for t in told} == {
        (key["id"], "cancelled", 2, "closure-1") for key in (one, two)
    }
    assert [mine["id"] for mine in await own(api, "a", "08:00")] == [later["id"]]
    shown = (await api.get(f"{PATH}?on={DAY}", at=NOW)).json()
    assert (shown["closed"], shown["free"]) == (True, [])
    refused = await book(api, "c")
    assert (refused.status, refused.json()["code"]) == (409, "library-closed")
    assert (await enter(api, one["code"], "09:05")).json()["code"] == "no-such-booking"
    assert await bookings_job(api, at("09:30")) == 0
    assert await events(api, "booking.lapsed") == []
    assert await findings(api) == []


async def test_a_booking_comes_back_with_its_code_if_the_closure_is_withdrawn(
    api: Api, replica: Api
) -> None:
    await room(api)
    booking = await booked(api, "a")
    await publish(api, closed(2))
    await hear(replica, opened(3), "e-3", NOW)
    done = await asyncio.gather(
        *(which.job("events/closures", at=NOW) for which in (api, replica) * 3)
    )
    assert sum(done) == 1
    await hear(api, closed(2), "e-2-again", NOW)  # an older event changes nothing
    await api.job("events/closures", at=NOW)
    [told] = await events(api, "booking.restored")
    assert (told["booking_id"], told["state"], told["version"]) == (booking["id"], "booked", 3)
    [mine] = await own(api, "a", "08:00")
    assert {**mine, "version": 1} == booking
    assert await free(api) == [(1, 0), (2, 1)]
    assert (await enter(api, booking["code"], "09:05")).status == 201
    assert (await kept(api), await findings(api)) == (0, [])


async def test_a_booking_comes_back_if_the_closure_becomes_shorter(api: Api) -> None:
    await room(api)
    booking = await booked(api, "a")
    await publish(api, closed(2, date(2021, 3, 1), date(2021, 3, 10)))
    await publish(api, closed(3, date(2021, 3, 3), date(2021, 3, 10)))
    assert [one["id"] for one in await own(api, "a", "08:00")] == [booking["id"]]
    await publish(api, closed(4, date(2021, 3, 1), date(2021, 3, 10)))
    assert await own(api, "a", "08:00") == []
    topics = ("booking.ended-by-closure", "booking.restored")
    assert [len(await events(api, topic)) for topic in topics] == [2, 1]
    assert await findings(api) == []


@pytest.mark.parametrize("why", ["other booking", "no place", "over", "erased"])
async def test_a_booking_does_not_come_back_to_a_taken_place_or_beside_another(
    api: Api, why: str
) -> None:
    await room(api, places=2)
    await booked(api, "a")
    await publish(api, closed(2))
    clock = NOW
    if why == "other booking":
        elsewhere = "/v1/study-rooms/KPL"
        await api.insist("PUT", elsewhere, ROOM, as_=STAFF, at=NOW)
        body = {"day": DAY, "session": 1}
        await api.insist("POST", f"{elsewhere}/bookings", body, as_=token("a"), at=NOW)
    elif why == "no place":
        await room(api, places=0)
    elif why == "over":
        clock = at("13:00")
    else:
        await erase(api, "a")
        assert await kept(api) == 0
    await publish(api, opened(3), clock)
    assert await events(api, "booking.restored") == []
    assert (await kept(api), await findings(api)) == (0, [])


async def test_the_bookings_that_were_made_first_come_back_if_fewer_places_are_left(
    api: Api,
) -> None:
    await room(api, places=3)
    made = [(await booked(api, patron))["id"] for patron in ("a", "b", "c")]
    await publish(api, closed(2))
    await room(api, places=2)
    await publish(api, opened(3), at("10:00"))
    told = await events(api, "booking.restored")
    assert [one["booking_id"] for one in told] == made[:2]
    assert {one["until"] for one in told} == {"2021-03-02T02:15:00Z"}


async def test_many_bookings_end_in_chunks_that_another_replica_continues(
    api: Api, replica: Api
) -> None:
    await room(api, places=20)
    await asyncio.gather(*(booked(api, f"p{n}", 1 + n % 2) for n in range(12)))
    await hear(api, closed(2), "e-2", NOW)
    run = Run(api.app.state.unit_of_work, Origin(now=parse_instant(NOW)), within=30.0)
    assert await run(settle_calendar, "HKCL", HONG_KONG, 5) == 5
    assert await replica.job("events/closures", at=NOW) == 7  # the first one was killed
    assert len(await events(api, "booking.ended-by-closure")) == 12
    assert await api.job("events/closures", at=NOW) == 0
    assert await findings(api) == []


async def test_a_booking_at_the_same_moment_as_a_closure_is_refused_or_ends(
    api: Api, replica: Api
) -> None:
    await room(api, places=50)

    async def close() -> None:
        await hear(api, closed(2), "e-2", NOW)

    async def try_(number: int) -> Answer:
        return await book((api, replica)[number % 2], f"p{number}", 1 + number % 2)

    answers = await asyncio.gather(close(), *(try_(number) for number in range(50)))
    made = [answer for answer in answers if answer is not None and answer.status == 201]
    await asyncio.gather(*(one.job("events/closures", at=NOW) for one in (api, replica)))
    assert len(await events(api, "booking.ended-by-closure")) == len(made)
    assert await api.app.state.database.study_bookings.count_documents({}) == 0
    assert await findings(api) == []


async def test_no_session_is_sold_on_a_weekday_without_hours_unless_the_room_has_its_own(
    api: Api,
) -> None:
    await room(api)
    weekend = tuple(Hours(weekday=day, opens="09:00", closes="17:00") for day in (5, 6))
    week = WeeklyHours(version=2, from_=date(2021, 1, 1), hours=weekend)
    at_weekends = samples.branch(BranchClosed, 2, hours=weekend, hours_history=(week,))
    booking = await booked(api, "a")  # 2 March 2021 is a Tuesday
    await publish(api, at_weekends)
    assert (await book(api, "b")).json()["code"] == "library-closed"
    [told] = await events(api, "booking.ended-by-closure")
    assert (told["booking_id"], told["closure_id"]) == (booking["id"], None)
    assert await free(api, "2021-03-06") == [(1, 1), (2, 1)]
    every_day = tuple(Hours(weekday=day, opens="08:00", closes="22:00") for day in range(7))
    period = Period(from_=date(2021, 3, 4), until=date(2021, 3, 4), reason="works", hours=())
    rooms = ServiceHours(service="study-room", hours=every_day, periods=(period,))
    await publish(api, at_weekends.model_copy(update={"version": 3, "service_hours": (rooms,)}))
    assert [one["id"] for one in await own(api, "a", "08:00")] == [booking["id"]]
    assert (await book(api, "b", day="2021-03-04")).json()["code"] == "library-closed"
    closure = samples.closure("closure-1", CLOSED_ON, (4, date(2021, 3, 3)))
    shut = at_weekends.model_copy(
        update={"version": 4, "service_hours": (rooms,), "closures": (closure,)}
    )
    await publish(api, shut)
    assert await own(api, "a", "08:00") == []


async def test_special_hours_of_a_reopening_count_until_other_weekly_hours_begin(api: Api) -> None:
    await room(api, days_ahead=30)
    monday = (Hours(weekday=0, opens="09:00", closes="17:00"),)
    said = Announcement(
        version=2,
        at=parse_instant(NOW),
        reopened_on=date(2021, 3, 3),
        on_terms=True,
        special_hours=monday,
    )
    closure = ClosureOut(closure_id="c", from_=CLOSED_ON, reason="x", announcements=(said,))
    all_days = tuple(Hours(weekday=day, opens="09:00", closes="17:00") for day in range(7))
    history = (
        WeeklyHours(version=1, from_=date(2021, 1, 1), hours=all_days),
        WeeklyHours(version=2, from_=date(2021, 3, 10), hours=all_days),
    )
    await publish(api, samples.branch(BranchClosed, 2, closures=(closure,), hours_history=history))
    days = [date(2021, 3, 1) + timedelta(days=n) for n in range(14)]
    shown = [(await api.get(f"{PATH}?on={day}", at=NOW)).json()["closed"] for day in days]
    opens = [day.day for day, shut in zip(days, shown, strict=True) if not shut]
    assert opens == [1, 8, 10, 11, 12, 13, 14]


async def absences(api: Api, season: str) -> list[int]:
    path = f"/v1/study-seasons/{season}/applications"
    listed = await api.get(path, as_=STAFF, at=at("10:00", "2021-03-20"))
    return [one["no_shows"] for one in listed.json()["items"]]


async def test_a_card_loses_no_place_while_the_library_is_closed(api: Api) -> None:
    season, [card, first] = await in_order(api, 2)
    await publish(api, closed(2, SEASON_DAY))
    assert await standby_job(api, "09:15") == 0
    assert (await enter_season(api, season, card["code"], "09:05")).json()["code"] == (
        "no-session-now"
    )
    for topic in ("admission.lapsed", "admission.promoted"):
        assert await events(api, topic) == []
    assert await absences(api, season) == [0, 0]
    assert await api.app.state.database.study_sittings.count_documents({}) == 0
    assert first["state"] == "standby"


async def test_a_closure_recorded_during_a_session_undoes_its_absences(api: Api) -> None:
    season, [came, late, waiting, first, second] = await in_order(api, 5, places=3)
    assert (await enter_season(api, season, came["code"], "09:00")).status == 201
    assert await standby_job(api, "09:15") == 2
    assert sorted(await absences(api, season)) == [0, 0, 0, 1, 1]
    clock = "2021-03-20T09:20:00+08:00"
    await publish(api, closed(2, SEASON_DAY), clock)
    assert await absences(api, season) == [0] * 5
    told = [one for one in await events(api, "admission.lapsed") if one["closed"]]
    assert Counter(one["patron_id"] for one in told) == Counter(
        one["patron"] for one in (late, waiting, first, second)
    )
    assert await standby_job(api, "09:45") == 0
    own_page = f"/v1/study-seasons/{season}/application"
    shown = await api.get(own_page, as_=token(first["patron"]), at=clock)
    assert shown.json()["place_until"] is None
    # The closure is withdrawn in the same session: its places are free for anyone with a card.
    await publish(api, samples.branch(BranchClosureChanged, 3, change="withdrawn"), clock)
    assert (await enter_season(api, season, late["code"], "10:00")).status == 201
    assert (await enter_season(api, season, second["code"], "10:00")).status == 201
    full = await enter_season(api, season, first["code"], "10:00")
    assert full.json()["code"] == "no-place-in-session"
    assert await standby_job(api, "10:00") == 0


async def effect(api: Api, *branches: BranchSnapshot) -> dict[str, Any]:
    body = {"branches": [one.model_dump(mode="json", by_alias=True) for one in branches]}
    answer = await api.insist("POST", "/v1/effects/study-rooms", body, as_=NOTICES, at=NOW)
    assert answer.status == 200, answer.body
    found: dict[str, Any] = answer.json()
    return found


async def test_a_preview_lists_sessions_and_counts_what_then_happens(api: Api) -> None:
    await room(api, places=3)
    await in_order(api, 2, valid_from="2021-03-08")
    for patron in ("a", "b"):
        await booked(api, patron)
    await booked(api, "c", 2)
    planned = closed(2, CLOSED_ON, date(2021, 3, 9))
    before = await effect(api, planned)
    assert [(one["starts_at"], one["season"], one["patrons"]) for one in before["items"]] == [
        ("2021-03-02T01:00:00Z", None, 2),
        ("2021-03-02T06:00:00Z", None, 1),
        ("2021-03-08T01:00:00Z", "Examinations of 2021", 1),
        ("2021-03-08T05:30:00Z", "Examinations of 2021", 1),
        ("2021-03-08T10:00:00Z", "Examinations of 2021", 1),
    ]
    assert (before["total"], before["bookings_ended"], before["bookings_restored"]) == (5, 3, 0)
    assert await events(api, "booking.ended-by-closure") == []
    await publish(api, planned)
    assert len(await events(api, "booking.ended-by-closure")) == before["bookings_ended"]
    assert (await effect(api, planned))["bookings_ended"] == 0
    await room(api, places=1)
    back = await effect(api, opened(3))
    assert (back["total"], back["bookings_ended"], back["bookings_restored"]) == (0, 0, 2)
    await publish(api, opened(3))
    assert len(await events(api, "booking.restored")) == 2


async def test_an_ended_booking_can_not_be_cancelled_and_is_deleted_a_day_after_its_session(
    api: Api,
) -> None:
    await room(api)
    booking = await booked(api, "a")
    await publish(api, closed(2))
    assert (await cancel(api, "a", booking["id"])).json()["code"] == "no-such-booking"
    assert await bookings_job(api, at("13:00", "2021-03-03")) == 0
    assert await kept(api) == 1
    await bookings_job(api, at("13:01", "2021-03-03"))
    assert await kept(api) == 0


async def test_a_room_has_one_season_at_a_time(api: Api, replica: Api) -> None:
    answers = await asyncio.gather(
        *(
            which.insist("POST", "/v1/study-seasons", SEASON, as_=STAFF, at=NOW)
            for which in (api, replica) * 10
        )
    )
    assert Counter(answer.status for answer in answers) == {201: 1, 409: 19}
    refused = next(answer.json() for answer in answers if answer.status == 409)
    assert (refused["code"], refused["branches"]) == ("seasons-overlap", "HKCL, STPL")
    days = {"valid_from": "2021-05-20", "valid_until": "2021-06-20"}
    touching = await api.insist("POST", "/v1/study-seasons", {**SEASON, **days}, as_=STAFF, at=NOW)
    assert touching.status == 409
    days["valid_from"] = "2021-05-21"
    await announced(api, **days)
    await announced(api, rooms=[{"branch": "KPL", "places": 2}])
