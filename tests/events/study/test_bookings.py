"""Bookings of single sessions in study rooms: places, limits, the door, lapses and erasure."""

import asyncio
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from ops.audit.findings import Audit, Recorded
from ops.audit.places import OF_BOOKINGS, check_bookings, check_closed_days, check_rooms
from tests.events.programme import events
from tests.events.study.season import STAFF, announced
from tests.events.test_registrations import erase
from tests.support import Answer, Api, token

ROOM: dict[str, Any] = {
    "places": 1,
    "sessions": [{"opens": "09:00", "closes": "13:00"}, {"opens": "14:00", "closes": "18:00"}],
    "days_ahead": 7,
    "most_bookings": 2,
}
PATH = "/v1/study-rooms/HKCL"
STATION = token("station-1", ["station"])
DAY = "2021-03-02"


def at(clock: str, day: str = DAY) -> str:
    return f"{day}T{clock}:00+08:00"


async def room(api: Api, **other: Any) -> Answer:
    return await api.insist("PUT", PATH, {**ROOM, **other}, as_=STAFF, at=at("08:00"))


async def book(
    api: Api, patron: str, session: int = 1, *, day: str = DAY, clock: str = "08:00"
) -> Answer:
    """Book as a patron, as a client that retries."""
    body = {"day": day, "session": session}
    return await api.insist("POST", f"{PATH}/bookings", body, as_=token(patron), at=at(clock))


async def booked(api: Api, patron: str, session: int = 1, **more: str) -> dict[str, Any]:
    answer = await book(api, patron, session, **more)
    assert answer.status == 201, answer.body
    found: dict[str, Any] = answer.json()
    return found


async def enter(api: Api, code: str, clock: str) -> Answer:
    return await api.insist("POST", f"{PATH}/check-ins", {"code": code}, as_=STATION, at=at(clock))


async def cancel(api: Api, patron: str, booking: str, clock: str = "08:00") -> Answer:
    return await api.insist("DELETE", f"/v1/me/bookings/{booking}", as_=token(patron), at=at(clock))


async def free(api: Api, day: str = DAY, clock: str = "08:00") -> list[tuple[int, int]]:
    answer = await api.insist("GET", f"{PATH}?on={day}", at=at(clock))
    return [(one["session"], one["places_left"]) for one in answer.json()["free"]]


async def own(api: Api, patron: str, clock: str) -> list[dict[str, Any]]:
    """Return the bookings that a patron sees as their own."""
    answer = await api.insist("GET", "/v1/me/bookings", as_=token(patron), at=at(clock))
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def job(api: Api, now: str) -> int:
    return await api.job("events/bookings", at=now)


async def of_day(api: Api, clock: str, **more: str) -> list[tuple[str, str, str]]:
    """Return the bookings of today as staff see them: session, patron and state."""
    limit = more.get("limit", "50")
    answer = await api.insist("GET", f"{PATH}/bookings?limit={limit}", as_=STAFF, at=at(clock))
    assert "code" not in str(answer.json())
    return [(one["starts_at"], one["patron_id"], one["state"]) for one in answer.json()["items"]]


async def findings(api: Api) -> list[str]:
    result, database = Audit(), api.app.state.database
    recorded = Recorded({"events": database}, datetime.min.replace(tzinfo=UTC))
    await check_bookings(result, database, recorded)
    await check_closed_days(result, database)
    await check_rooms(result, database)
    return result.findings


async def test_a_patron_books_a_free_session_and_comes_in_with_its_code(api: Api) -> None:
    await room(api)
    booking = await booked(api, "a", 2)
    assert (booking["starts_at"], booking["until"]) == (
        "2021-03-02T06:00:00Z",
        "2021-03-02T06:15:00Z",
    )
    assert await free(api) == [(1, 1), (2, 0)]
    mine = await own(api, "a", "08:00")
    assert [(one["id"], one["code"]) for one in mine] == [(booking["id"], booking["code"])]
    for clock, code in (
        ("13:44", "no-session-now"),
        ("13:45", None),
        ("14:05", "checked-in-already"),
    ):
        assert (await enter(api, booking["code"], clock)).json().get("code") == code, clock
    unknown = await enter(api, "0" * 16, "14:05")
    assert (unknown.status, unknown.json()["code"]) == (404, "no-such-booking")
    assert [len(await events(api, topic)) for topic in OF_BOOKINGS] == [1, 0, 1, 0]
    [told] = await events(api, "booking.made")
    assert booking["code"] not in str(told)
    assert await findings(api) == []


@pytest.mark.parametrize(
    ("day", "session", "clock", "status", "code"),
    [
        (DAY, 1, "12:59", 201, None),
        (DAY, 1, "13:00", 409, "session-over"),
        (DAY, 3, "08:00", 422, "no-such-session"),
        ("2021-03-01", 1, "08:00", 409, "session-over"),
        ("2021-03-09", 1, "08:00", 201, None),
        ("2021-03-10", 1, "08:00", 409, "too-far-ahead"),
        ("2021-03-10", 11, "08:00", 422, "malformed"),
        ("9999-03-10", 1, "08:00", 422, "malformed"),
    ],
)
async def test_sessions_are_booked_within_the_days_of_the_room(
    api: Api, *, day: str, session: int, clock: str, status: int, code: str | None
) -> None:
    await room(api)
    answer = await book(api, "a", session, day=day, clock=clock)
    assert answer.status == status, answer.body
    if code:
        assert answer.json()["code"] == code


async def test_a_patron_has_a_limited_number_of_bookings_and_one_for_each_session(
    api: Api,
) -> None:
    await room(api, places=5)
    first = await booked(api, "a")
    assert (await book(api, "a")).json()["code"] == "booked-already"
    await booked(api, "a", 2)
    over = await book(api, "a", day="2021-03-03")
    assert (over.status, over.json()["code"]) == (409, "too-many-bookings")
    assert (await cancel(api, "a", first["id"])).status == 200
    await booked(api, "a", day="2021-03-03")


async def test_the_last_place_goes_to_one_of_fifty_callers_on_two_replicas(
    api: Api, replica: Api
) -> None:
    await room(api, places=2)
    await booked(api, "first")
    answers = await asyncio.gather(
        *(book((api, replica)[number % 2], f"p{number}") for number in range(50))
    )
    assert Counter(answer.status for answer in answers) == {201: 1, 409: 49}
    assert {one.json()["code"] for one in answers if one.status == 409} == {"session-full"}
    assert await api.app.state.database.study_bookings.count_documents({}) == 2
    assert await findings(api) == []


async def test_concurrent_bookings_of_one_patron_keep_to_the_limit(api: Api, replica: Api) -> None:
    await room(api, places=50)
    days = [f"2021-03-0{day}" for day in range(2, 9)]
    answers = await asyncio.gather(
        *(
            book((api, replica)[number % 2], "a", session, day=day)
            for number, day in enumerate(days)
            for session in (1, 2)
        )
    )
    assert Counter(answer.status for answer in answers) == {201: 2, 409: 12}


async def test_a_place_that_is_not_taken_in_time_lapses_once_and_is_free_again(
    api: Api, replica: Api
) -> None:
    await room(api)
    late = await booked(api, "a")
    assert await job(api, at("09:14")) == 0
    done = await asyncio.gather(*(job(one, at("09:15")) for one in (api, replica) * 3))
    assert sum(done) == 1
    assert (await enter(api, late["code"], "09:16")).json()["code"] == "no-such-booking"
    next_one = await booked(api, "b", clock="09:20")
    assert next_one["until"] == "2021-03-02T01:35:00Z"
    assert (await enter(api, next_one["code"], "09:30")).status == 201
    assert [len(await events(api, topic)) for topic in OF_BOOKINGS] == [2, 0, 1, 1]
    assert await findings(api) == []


async def test_a_patron_who_comes_too_late_is_refused_before_the_job_runs(api: Api) -> None:
    await room(api)
    late = await booked(api, "a")
    assert (await enter(api, late["code"], "09:15")).json()["code"] == "place-lapsed"
    assert (await cancel(api, "a", late["id"], "09:15")).json()["code"] == "place-lapsed"


async def test_only_its_patron_sees_or_cancels_a_booking(api: Api) -> None:
    await room(api)
    booking = await booked(api, "a")
    other = await cancel(api, "b", booking["id"])
    seen = await api.get(f"/v1/me/bookings/{booking['id']}", as_=token("b"))
    assert {(one.status, one.json()["code"]) for one in (other, seen)} == {(404, "no-such-booking")}
    assert (await cancel(api, "a", booking["id"])).json()["state"] == "cancelled"
    assert await free(api) == [(1, 1), (2, 1)]
    assert (await cancel(api, "a", booking["id"])).status == 404
    [told] = await events(api, "booking.cancelled")
    assert (told["by"], told["version"]) == ("patron", 2)


async def test_no_session_is_booked_on_a_day_of_a_season(api: Api) -> None:
    await room(api, days_ahead=30)
    await announced(api)
    assert await free(api, "2021-03-15") == []
    season = await book(api, "a", day="2021-03-15")
    assert (season.status, season.json()["code"]) == (409, "room-in-season")
    await booked(api, "a", day="2021-03-14")


async def test_the_bookings_of_an_erased_patron_end(api: Api) -> None:
    await room(api, places=2)
    kept = await booked(api, "b")
    await booked(api, "a")
    taken = await booked(api, "a", 2)
    assert (await enter(api, taken["code"], "13:50")).status == 201
    await erase(api, "a")
    found = api.app.state.database.study_bookings.find({})
    assert [one["_id"] async for one in found] == [kept["id"]]
    assert {one["by"] for one in await events(api, "booking.cancelled")} == {"erased"}
    assert (await book(api, "a")).json()["code"] == "no-such-patron"
    assert await findings(api) == []


async def test_a_patron_no_longer_sees_a_booking_of_a_session_that_is_over(api: Api) -> None:
    await room(api)
    taken, later = await booked(api, "a"), await booked(api, "a", 2)
    assert (await enter(api, taken["code"], "09:00")).status == 201
    for clock, expected in (("12:59", [taken, later]), ("13:00", [later])):
        found = await own(api, "a", clock)
        assert [one["id"] for one in found] == [one["id"] for one in expected]


async def test_sessions_are_deleted_a_day_after_they_are_over(api: Api) -> None:
    await room(api)
    booking = await booked(api, "a")
    assert (await enter(api, booking["code"], "09:00")).status == 201
    assert await job(api, at("13:00", "2021-03-03")) == 0
    assert await job(api, at("13:01", "2021-03-03")) == 2
    database = api.app.state.database
    assert await database.study_bookings.count_documents({}) == 0
    assert await database.study_slots.count_documents({}) == 0
    assert await findings(api) == []


@pytest.mark.parametrize(
    "change",
    [
        {"places": -1},
        {"sessions": []},
        {
            "sessions": [
                {"opens": "09:00", "closes": "13:00"},
                {"opens": "12:00", "closes": "14:00"},
            ]
        },
        {"days_ahead": 91},
        {"most_bookings": 0},
        {"grace_minutes": 4},
    ],
)
async def test_the_rules_of_a_room_are_validated(api: Api, change: dict[str, Any]) -> None:
    assert (await room(api, **change)).status == 422
    assert (await api.get("/v1/study-rooms")).json()["items"] == []


async def test_a_room_without_places_is_not_booked_any_more(api: Api) -> None:
    await room(api)
    kept = await booked(api, "a")
    assert (await room(api, places=0)).status == 200
    assert (await book(api, "b", 2)).json()["code"] == "session-full"
    assert (await enter(api, kept["code"], "09:00")).status == 201
    none = await api.insist(
        "POST",
        "/v1/study-rooms/STPL/bookings",
        {"day": DAY, "session": 1},
        as_=token("a"),
        at=at("08:00"),
    )
    assert (none.status, none.json()["code"]) == (404, "no-such-study-room")


async def test_each_fault_in_bookings_is_found(api: Api) -> None:
    await room(api)
    booking = await booked(api, "a")
    database = api.app.state.database
    await database.study_slots.update_many({}, {"$set": {"taken": 0}})
    assert ["bookings more than it counts" in one for one in await findings(api)] == [True]
    await database.study_slots.update_many({}, {"$set": {"taken": 1}})
    await database.study_bookings.update_one(
        {"_id": booking["id"]}, {"$set": {"state": "checked-in"}}
    )
    assert await findings(api) == [
        f"booking {booking['id']} is checked-in, but was published as booked"
    ]


async def test_staff_list_the_bookings_of_today_that_are_not_over(api: Api) -> None:
    await room(api, places=2)
    first = await booked(api, "a")
    gone = await booked(api, "b")
    for patron, more in (
        ("c", {"session": 2}),
        ("b", {"session": 2}),
        ("a", {"day": "2021-03-03"}),
    ):
        await booked(api, patron, **more)
    await cancel(api, "b", gone["id"])
    await enter(api, first["code"], "08:50")
    morning, noon = "2021-03-02T01:00:00Z", "2021-03-02T06:00:00Z"
    afternoon = [(noon, "c", "booked"), (noon, "b", "booked")]
    assert await of_day(api, "10:00") == [(morning, "a", "checked-in"), *afternoon]
    assert await of_day(api, "10:00", limit="1") == [(morning, "a", "checked-in")]
    assert await of_day(api, "13:00") == afternoon
    for caller in (STATION, token("a")):
        refused = await api.insist("GET", f"{PATH}/bookings", as_=caller, at=at("10:00"))
        assert refused.status == 403
