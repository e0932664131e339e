"""Recording attendance at activities: answers, published events and refusals."""

import asyncio
import random
from typing import Any

import pytest

from tests.events.programme import ANNOUNCED, BEFORE, RELEASE, STAFF, events, published
from tests.events.test_registrations import erase, register, withdraw
from tests.support import Answer, Api, token

EVE = "2020-11-19T23:59:59+08:00"
MORNING = "2020-11-20T00:00:00+08:00"
"""The last moment of the day before the talk, and the first of its day."""


async def attend(api: Api, patron: str, activity: str, *, at: str = BEFORE) -> Answer:
    """Record an attendance, as a client that retries."""
    path = f"/v1/activities/{activity}/attendance"
    return await api.insist("POST", path, {"patron_id": patron}, as_=STAFF, at=at)


async def withdraw_attendance(api: Api, patron: str, activity: str, *, at: str = BEFORE) -> Answer:
    """Withdraw an attendance, as a client that retries."""
    path = f"/v1/activities/{activity}/attendance/{patron}"
    return await api.insist("DELETE", path, as_=STAFF, at=at)


async def counts(api: Api, activity: str) -> tuple[int, int]:
    """Return the numbers of patrons who have a place and who attended."""
    found = (await api.get(f"/v1/activities/{activity}/attendance", as_=STAFF)).json()
    return found["registered"], found["attended"]


async def test_an_attendance_is_recorded_once_and_shown_with_the_registration(api: Api) -> None:
    talk = await published(api, places=2)
    registered = {who: (await register(api, who, talk["id"])).json() for who in "ab"}
    assert await counts(api, talk["id"]) == (2, 0)
    first = await attend(api, "a", talk["id"], at=MORNING)
    assert first.status == 200
    came = registered["a"] | {"attended_at": "2020-11-19T16:00:00Z", "version": 2}
    assert first.json() == came
    again = await attend(api, "a", talk["id"], at=RELEASE)
    assert (again.status, again.json()) == (200, came)
    assert await counts(api, talk["id"]) == (2, 1)
    told = await events(api, "registration.attended")
    assert told == [
        {
            "version": 2,
            "registration_id": came["id"],
            "activity_id": talk["id"],
            "patron_id": "a",
            "state": "confirmed",
            "turn": 1,
            "registered_at": came["registered_at"],
            "attended_at": came["attended_at"],
        }
    ]
    own = (await api.get(f"/v1/activities/{talk['id']}/registration", as_=token("a"))).json()
    assert own["attended_at"] == came["attended_at"]
    service = token("gateway", ["service"])
    kept = (await api.get("/v1/snapshots/registrations", as_=service)).json()["items"]
    assert [(one["patron_id"], one["attended_at"]) for one in kept] == [
        ("a", came["attended_at"]),
        ("b", None),
    ]


async def test_twenty_concurrent_callers_record_one_attendance(api: Api, replica: Api) -> None:
    talk = await published(api, places=1)
    await register(api, "a", talk["id"])
    answers = await asyncio.gather(
        *(attend([api, replica][n % 2], "a", talk["id"]) for n in range(20))
    )
    assert {(one.status, one.json()["version"]) for one in answers} == {(200, 2)}
    assert await counts(api, talk["id"]) == (1, 1)
    assert len(await events(api, "registration.attended")) == 1


async def test_a_withdrawn_attendance_is_recorded_no_more_until_staff_record_it_anew(
    api: Api,
) -> None:
    talk = await published(api, places=2)
    registered = {who: (await register(api, who, talk["id"])).json() for who in "ab"}
    for who in "ab":
        await attend(api, who, talk["id"], at=MORNING)
    expected = registered["a"] | {"attended_at": None, "version": 3}
    for _ in range(2):  # the second changes nothing
        withdrawn = await withdraw_attendance(api, "a", talk["id"])
        assert (withdrawn.status, withdrawn.json()) == (200, expected)
        assert await counts(api, talk["id"]) == (2, 1)
    [told] = await events(api, "registration.attendance-withdrawn")
    assert told == {
        "version": 3,
        "registration_id": expected["id"],
        "activity_id": talk["id"],
        "patron_id": "a",
        "state": "confirmed",
        "turn": 1,
        "registered_at": expected["registered_at"],
        "attended_at": None,
    }
    anew = await attend(api, "a", talk["id"], at=RELEASE)
    assert (anew.json()["version"], anew.json()["attended_at"]) == (4, "2020-11-20T11:00:00Z")
    assert await counts(api, talk["id"]) == (2, 2)


async def test_an_attendance_can_be_withdrawn_after_its_activity_was_moved(api: Api) -> None:
    talk = await published(api, places=1)
    await register(api, "a", talk["id"])
    await attend(api, "a", talk["id"], at=MORNING)
    later = {"starts_at": "2020-12-20T19:00:00+08:00", "ends_at": None}
    moved = await api.patch(f"/v1/activities/{talk['id']}", later, as_=STAFF, at=BEFORE)
    assert moved.status == 200
    withdrawn = await withdraw_attendance(api, "a", talk["id"])
    assert (withdrawn.status, withdrawn.json()["attended_at"]) == (200, None)


async def test_concurrent_callers_record_and_withdraw_one_attendance_in_turn(
    api: Api, replica: Api
) -> None:
    talk = await published(api, places=1)
    await register(api, "a", talk["id"])
    acts = [attend, withdraw_attendance] * 10
    random.Random(7).shuffle(acts)  # noqa: S311
    answers = await asyncio.gather(
        *(act([api, replica][n % 2], "a", talk["id"]) for n, act in enumerate(acts))
    )
    assert {one.status for one in answers} == {200}
    recorded = await events(api, "registration.attended")
    withdrawn = await events(api, "registration.attendance-withdrawn")
    in_turn = sorted(recorded + withdrawn, key=lambda one: int(one["version"]))
    assert [one["version"] for one in in_turn] == list(range(2, len(in_turn) + 2))
    came = [one["attended_at"] is not None for one in in_turn]
    assert came == [number % 2 == 0 for number in range(len(in_turn))]
    assert await counts(api, talk["id"]) == (1, came[-1])


@pytest.mark.parametrize(
    ("who", "refusal"),
    [("b", (409, "on-waiting-list")), ("c", (404, "not-registered"))],
    ids=["waits for a place", "is not registered"],
)
async def test_without_a_place_there_is_no_attendance_to_withdraw(
    api: Api, who: str, refusal: tuple[int, str]
) -> None:
    talk, other = await published(api, places=1), await published(api, places=1, title="Other")
    for patron in "ab":
        await register(api, patron, talk["id"])
    await register(api, "c", other["id"])
    await attend(api, "c", other["id"])
    refused = await withdraw_attendance(api, who, talk["id"])
    assert (refused.status, refused.json()["code"]) == refusal
    assert await counts(api, other["id"]) == (1, 1)
    assert await events(api, "registration.attendance-withdrawn") == []


@pytest.mark.parametrize(
    ("who", "at", "refusal"),
    [
        ("a", EVE, (409, "not-its-day")),
        ("b", BEFORE, (409, "on-waiting-list")),
        ("c", BEFORE, (404, "not-registered")),
    ],
    ids=["the day before", "waits for a place", "is not registered"],
)
async def test_a_refused_attendance_changes_nothing(
    api: Api, who: str, at: str, refusal: tuple[int, str]
) -> None:
    talk = await published(api, places=1)
    for patron in "ab":
        await register(api, patron, talk["id"])
    refused = await attend(api, who, talk["id"], at=at)
    assert (refused.status, refused.json()["code"]) == refusal
    assert refused.json()["detail"]
    assert await counts(api, talk["id"]) == (1, 0)
    assert await events(api, "registration.attended") == []


async def test_an_unknown_cancelled_or_open_activity_has_no_attendance(api: Api) -> None:
    unknown = await attend(api, "a", "none")
    assert (unknown.status, unknown.json()["code"]) == (404, "no-such-activity")
    open_to_all = await published(api)
    refused = await attend(api, "a", open_to_all["id"])
    assert (refused.status, refused.json()["code"]) == (409, "no-registration-needed")
    refused = await withdraw_attendance(api, "a", open_to_all["id"])
    assert (refused.status, refused.json()["code"]) == (409, "no-registration-needed")
    unknown = await withdraw_attendance(api, "a", "none")
    assert (unknown.status, unknown.json()["code"]) == (404, "no-such-activity")
    asked = await api.get(f"/v1/activities/{open_to_all['id']}/attendance", as_=STAFF)
    assert (asked.status, asked.json()["code"]) == (409, "no-registration-needed")
    # More than 50 registrations: those that a job ends later are still there.
    talk = await published(api, places=60)
    for number in range(52):
        await register(api, f"p{number}", talk["id"])
    why = {"reason": "The speaker is ill"}
    await api.post(f"/v1/activities/{talk['id']}/cancellation", why, as_=STAFF, at=ANNOUNCED)
    refused = await attend(api, "p51", talk["id"])
    assert (refused.status, refused.json()["code"]) == (409, "activity-cancelled")


async def test_a_registration_of_another_activity_does_not_count(api: Api) -> None:
    talk, other = await published(api, places=1), await published(api, places=1, title="Other")
    await register(api, "a", other["id"])
    refused = await attend(api, "a", talk["id"])
    assert (refused.status, refused.json()["code"]) == (404, "not-registered")
    assert await counts(api, other["id"]) == (1, 0)


async def test_only_staff_record_withdraw_and_count_attendance(api: Api) -> None:
    talk = await published(api, places=1)
    await register(api, "a", talk["id"])
    path = f"/v1/activities/{talk['id']}/attendance"
    for as_, status in ((None, 401), (token("a"), 403), (token("s", ["station"]), 403)):
        assert (await api.get(path, as_=as_)).status == status
        posted = await api.post(path, {"patron_id": "a"}, as_=as_, at=BEFORE)
        assert posted.status == status
        withdrawn = await api.delete(f"{path}/a", as_=as_, at=BEFORE)
        assert withdrawn.status == status
    for body in ({}, {"patron_id": ""}, {"patron_id": "a", "more": 1}):
        assert (await api.post(path, body, as_=STAFF, at=BEFORE)).status == 422


@pytest.mark.parametrize("ending", ["withdrawn", "erased"])
async def test_the_last_event_of_a_registration_says_that_its_patron_attended(
    api: Api, ending: str
) -> None:
    talk = await published(api, places=1)
    for who in "ab":
        await register(api, who, talk["id"])
    attended: dict[str, Any] = (await attend(api, "a", talk["id"], at=MORNING)).json()
    if ending == "withdrawn":
        ended = await withdraw(api, "a", talk["id"], at=BEFORE)
        assert ended.json()["attended_at"] == attended["attended_at"]
    else:
        await erase(api, "a", at=BEFORE)
    [told] = await events(api, "registration.cancelled")
    assert (told["version"], told["attended_at"]) == (3, attended["attended_at"])
    # The place goes to the patron on the waiting list, who has yet to come.
    assert await counts(api, talk["id"]) == (1, 0)
