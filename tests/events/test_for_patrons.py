"""Registrations and bookings that staff make and cancel for a patron."""

import asyncio
from typing import Any

import pytest

from tests.events.programme import ANNOUNCED, BEFORE, RELEASE, STAFF, events, published
from tests.events.study.season import Members
from tests.events.study.test_bookings import DAY, at, booked, enter, findings, free, own, room
from tests.events.test_registration_races import faults
from tests.events.test_registrations import on_the_list, register
from tests.support import Answer, Api, token

BY_OTHERS = [token("b"), token("station-1", ["station"]), token("gateway", ["service"])]


async def staff_register(api: Api, patron: str, activity: str, **more: Any) -> Answer:
    """Register a patron as staff, as a client that retries."""
    call = {"as_": STAFF, "at": ANNOUNCED, **more}
    body = {"activity_id": activity}
    return await api.insist("POST", f"/v1/patrons/{patron}/registrations", body, **call)


async def staff_withdraw(api: Api, patron: str, activity: str, **more: Any) -> Answer:
    call = {"as_": STAFF, "at": ANNOUNCED, **more}
    return await api.insist("DELETE", f"/v1/patrons/{patron}/registrations/{activity}", **call)


async def staff_book(api: Api, patron: str, session: int = 1, **more: Any) -> Answer:
    """Book a session for a patron as staff, as a client that retries."""
    call = {"as_": STAFF, "at": at("08:00"), **more}
    body = {"branch": "HKCL", "day": DAY, "session": session}
    return await api.insist("POST", f"/v1/patrons/{patron}/bookings", body, **call)


async def staff_cancel(api: Api, patron: str, booking: str, **more: Any) -> Answer:
    call = {"as_": STAFF, "at": at("08:00"), **more}
    return await api.insist("DELETE", f"/v1/patrons/{patron}/bookings/{booking}", **call)


async def of_patron(api: Api, patron: str, kind: str, now: str) -> list[dict[str, Any]]:
    answer = await api.insist("GET", f"/v1/patrons/{patron}/{kind}", as_=STAFF, at=now)
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def test_staff_register_a_patron_who_then_has_the_place(api: Api) -> None:
    talk = await published(api, places=1)
    assert (await staff_register(api, "a", talk["id"])).status == 201
    waits = await staff_register(api, "b", talk["id"])
    assert (waits.status, waits.json()["position"]) == (202, 1)
    again = await staff_register(api, "a", talk["id"])
    assert (again.status, again.json()["code"]) == (409, "already-registered")
    mine = await api.get("/v1/me/registrations", as_=token("a"), at=ANNOUNCED)
    assert await of_patron(api, "a", "registrations", ANNOUNCED) == mine.json()["items"]
    assert len(mine.json()["items"]) == 1

    # The place of the one goes to the other; there is nothing left to withdraw then.
    withdrawn = await staff_withdraw(api, "a", talk["id"])
    assert (withdrawn.status, withdrawn.json()["state"]) == (200, "cancelled")
    assert await on_the_list(api, talk["id"]) == [("b", "confirmed", None)]
    gone = await staff_withdraw(api, "a", talk["id"])
    assert (gone.status, gone.json()["code"]) == (404, "not-registered")
    [ended] = await events(api, "registration.cancelled")
    assert (ended["patron_id"], ended["by"]) == ("a", "patron")


@pytest.mark.parametrize(
    ("ends_at", "now", "status"),
    [
        (None, BEFORE, 201),
        (None, RELEASE, 201),
        (None, "2020-11-21T00:00:00+08:00", 409),
        ("2020-11-22T19:00:00+08:00", "2020-11-22T23:59:59+08:00", 201),
        ("2020-11-22T19:00:00+08:00", "2020-11-23T00:00:00+08:00", 409),
    ],
)
async def test_staff_register_who_comes_late_until_the_last_day_is_over(
    api: Api, ends_at: str | None, now: str, status: int
) -> None:
    talk = await published(api, places=1, ends_at=ends_at)
    answer = await staff_register(api, "a", talk["id"], at=now)
    assert answer.status == status, answer.body
    full = await staff_register(api, "b", talk["id"], at=RELEASE)
    assert (full.json().get("code") == "activity-begun") is (status == 201), full.body


async def test_staff_register_only_patrons_of_an_activitys_ages(api: Api, members: Members) -> None:
    members.born.update(child="2015-01-01", adult="1980-01-01")
    club = await published(api, places=2, minimum_age=18)
    answers = [await staff_register(api, who, club["id"]) for who in ("child", "adult")]
    assert [one.status for one in answers] == [409, 201]
    assert answers[0].json()["code"] == "outside-ages"


async def test_nobody_is_registered_or_booked_whom_accounts_does_not_know(
    api: Api, members: Members
) -> None:
    talk = await published(api, places=1)
    await room(api)
    for answer in (
        await staff_register(api, "nobody", talk["id"]),
        await staff_book(api, "nobody"),
    ):
        assert (answer.status, answer.json()["code"]) == (404, "no-such-patron")
    members.away = True
    for kind, body in (
        ("registrations", {"activity_id": talk["id"]}),
        ("bookings", {"branch": "HKCL", "day": DAY, "session": 1}),
    ):
        away = await api.post(f"/v1/patrons/a/{kind}", body, as_=STAFF, at=at("08:00"))
        assert away.status == 503
    assert (await on_the_list(api, talk["id"]), await free(api)) == ([], [(1, 1), (2, 1)])


@pytest.mark.parametrize("key", [None, "form-1"])
async def test_twenty_librarians_at_two_replicas_register_and_book_a_patron_once(
    api: Api, replica: Api, key: str | None
) -> None:
    talk = await published(api, places=3)
    await room(api, places=3)
    doors = [[api, replica][number % 2] for number in range(20)]
    more: dict[str, Any] = {"key": key} if key else {}
    registered = await asyncio.gather(
        *(staff_register(door, "a", talk["id"], **more) for door in doors)
    )
    bookings = await asyncio.gather(*(staff_book(door, "a", **more) for door in doors))
    expected = [201] * 20 if key else [201] + [409] * 19
    assert sorted(one.status for one in registered) == expected
    assert sorted(one.status for one in bookings) == expected
    assert len({one.json()["id"] for one in bookings if one.status == 201}) == 1
    assert (await faults(api, talk["id"]), await findings(api)) == ([], [])
    assert await free(api) == [(1, 2), (2, 3)]


async def test_staff_book_a_session_for_a_patron_who_comes_in_with_its_code(api: Api) -> None:
    await room(api)
    booking = (await staff_book(api, "a")).json()
    assert await own(api, "a", "08:00") == [booking]
    [shown] = await of_patron(api, "a", "bookings", at("08:00"))
    assert shown == {name: booking[name] for name in booking if name != "code"} | {"patron_id": "a"}
    assert (await enter(api, booking["code"], "09:00")).status == 201
    late = await staff_cancel(api, "a", booking["id"], at=at("09:05"))
    assert (late.status, late.json()["code"]) == (409, "checked-in-already")


async def test_staff_cancel_a_booking_only_under_the_patron_whose_it_is(api: Api) -> None:
    await room(api)
    booking = await booked(api, "a")
    other = await staff_cancel(api, "b", booking["id"])
    assert (other.status, other.json()["code"]) == (404, "no-such-booking")
    assert (await staff_cancel(api, "a", booking["id"])).status == 200
    assert (await own(api, "a", "08:00"), await free(api)) == ([], [(1, 1), (2, 1)])
    assert await findings(api) == []


async def test_others_than_staff_can_neither_see_nor_change_them(api: Api) -> None:
    talk = await published(api, places=2)
    await room(api)
    await register(api, "a", talk["id"])
    booking = await booked(api, "a")
    for caller in (*BY_OTHERS, token("a")):
        for answer in (
            await staff_register(api, "b", talk["id"], as_=caller),
            await staff_withdraw(api, "a", talk["id"], as_=caller),
            await staff_book(api, "b", as_=caller),
            await staff_cancel(api, "a", booking["id"], as_=caller),
            await api.get("/v1/patrons/a/registrations", as_=caller),
            await api.get("/v1/patrons/a/bookings", as_=caller),
        ):
            assert (answer.status, answer.json()["code"]) == (403, "forbidden")
    assert len(await on_the_list(api, talk["id"])) == 1
    assert len(await own(api, "a", "08:00")) == 1
