"""Hours of a branch's services, special periods, and names in three languages, over HTTP."""

import asyncio
from typing import Any

import pytest

from tests.notices.library import (
    STAFF,
    WEEK,
    close,
    events,
    hear,
    inbox,
    prefers,
    register,
    registered,
    reopened,
    reopening,
)
from tests.support import Answer, Api, token

STUDY = "/v1/branches/HKCL/services/study-room"
EXAMINATIONS = f"{STUDY}/periods/2021-03-01"
USUAL = [{"weekday": day, "opens": "09:00", "closes": "20:00"} for day in range(1, 6)]
LONG = [{"weekday": day, "opens": "08:00", "closes": "22:00"} for day in range(1, 8)]
PERIOD = {"until": "2021-05-31", "reason": "examinations", "hours": LONG}
CHINESE = {"zh-Hant": "香港中央圖書館", "zh-Hans": "香港中央图书馆"}


async def study_room(api: Api, at: str, on: str = "") -> dict[str, Any]:
    path = f"/v1/branches/HKCL?on={on}" if on else "/v1/branches/HKCL"
    found = (await api.insist("GET", path, at=at)).json()
    [service] = found["service_hours"]
    known: dict[str, Any] = service
    return known


async def put(api: Api, path: str, body: dict[str, Any], as_: str | None = STAFF) -> Answer:
    return await api.insist("PUT", path, body, as_=as_, at="2021-02-01T10:00:00+08:00")


async def with_examinations(api: Api) -> None:
    await register(api, "HKCL")
    assert (await put(api, STUDY, {"hours": USUAL})).status == 200
    assert (await put(api, EXAMINATIONS, PERIOD)).status == 200


async def test_a_service_has_longer_hours_during_a_period(api: Api) -> None:
    await with_examinations(api)
    before = await study_room(api, "2021-02-26T20:30:00+08:00")
    during = await study_room(api, "2021-03-05T20:30:00+08:00")
    after = await study_room(api, "2021-06-05T12:00:00+08:00")
    assert (before["open_until"], before["opens_at"]) == (None, "2021-03-01T08:00:00+08:00")
    assert (before["reason"], before["periods"][0]["until"]) == (None, "2021-05-31")
    assert (during["open_until"], during["reason"]) == ("2021-03-05T22:00:00+08:00", "examinations")
    assert during["hours"] == [{"weekday": 5, "opens": "08:00", "closes": "22:00"}]
    assert (after["periods"], after["opens_at"]) == ([], "2021-06-07T09:00:00+08:00")


async def test_the_hours_of_a_service_change_neither_those_of_the_branch_nor_its_open_days(
    api: Api,
) -> None:
    await with_examinations(api)
    at_night = (await api.get("/v1/branches/HKCL", at="2021-03-05T21:00:00+08:00")).json()
    assert (at_night["open_until"], at_night["weekly_hours"]) == (None, WEEK)
    told = (await events(api, "branch.hours-changed"))[-1]
    assert (told["version"], len(told["hours_history"])) == (3, 1)
    [service] = told["service_hours"]
    [period] = service["periods"]
    assert (service["service"], period["from"]) == ("study-room", "2021-03-01")
    assert period["hours"][0] == {"weekday": 0, "opens": "08:00", "closes": "22:00"}


async def test_a_closure_closes_the_services_of_its_branches(api: Api) -> None:
    await with_examinations(api)
    closure = (
        await close(api, "2021-02-01T10:00:00+08:00", branches=["HKCL"], **{"from": "2021-03-01"})
    ).json()["id"]
    closed = await study_room(api, "2021-03-05T12:00:00+08:00", on="2021-03-05")
    assert (closed["hours"], closed["open_until"], closed["opens_at"]) == ([], None, None)
    await reopening(api, closure, "2021-03-05T13:00:00+08:00", reopened_on="2021-03-10")
    announced = await study_room(api, "2021-03-05T14:00:00+08:00")
    assert announced["opens_at"] == "2021-03-10T08:00:00+08:00"


async def test_a_special_day_without_hours_closes_a_service(api: Api) -> None:
    await with_examinations(api)
    holiday = {"until": "2021-06-14", "reason": "public-holiday", "hours": []}
    assert (await put(api, f"{STUDY}/periods/2021-06-14", holiday)).status == 200
    at = "2021-06-13T12:00:00+08:00"
    assert (await study_room(api, at))["opens_at"] == "2021-06-15T09:00:00+08:00"
    gone = await api.insist("DELETE", f"{STUDY}/periods/2021-06-14", as_=STAFF, at=at)
    assert gone.status == 200
    assert (await study_room(api, at))["opens_at"] == "2021-06-14T09:00:00+08:00"
    again = await api.insist("DELETE", f"{STUDY}/periods/2021-06-14", as_=STAFF, at=at)
    assert (again.status, again.json()["code"]) == (404, "no-such-period")


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        (EXAMINATIONS, PERIOD | {"until": "2021-02-28"}, 422, "bad-period"),
        (f"{STUDY}/periods/2021-05-31", PERIOD, 422, "bad-period"),
        (f"{STUDY}/periods/2021-02-28", PERIOD, 422, "bad-period"),
        (f"{STUDY}/periods/2021-06-01", PERIOD | {"until": "2021-06-02"}, 200, "HKCL"),
        (EXAMINATIONS, PERIOD | {"until": "2021-04-01"}, 200, "HKCL"),
        (EXAMINATIONS, PERIOD | {"reason": "because"}, 422, "malformed"),
        (EXAMINATIONS, PERIOD | {"hours": LONG + LONG}, 422, "bad-hours"),
        (f"{STUDY}/periods/9999-01-01", PERIOD, 422, "malformed"),
        ("/v1/branches/HKCL/services/adult/periods/2021-03-01", PERIOD, 404, "no-such-service"),
        ("/v1/branches/NONE/services/adult", {"hours": []}, 404, "no-such-branch"),
        ("/v1/branches/HKCL/services/bar", {"hours": []}, 422, "malformed"),
    ],
)
async def test_the_hours_of_a_service_are_validated(
    api: Api, path: str, body: dict[str, Any], status: int, code: str | None
) -> None:
    await with_examinations(api)
    answer = await put(api, path, body)
    assert (answer.status, answer.json().get("code")) == (status, code)


async def test_a_service_has_a_limited_number_of_periods(api: Api) -> None:
    await register(api, "HKCL")
    await put(api, STUDY, {"hours": USUAL})
    days = [f"2022-{month:02}-{day:02}" for month in (1, 2, 3) for day in range(1, 22)]
    answers = [
        await put(api, f"{STUDY}/periods/{day}", PERIOD | {"until": day}) for day in days[:61]
    ]
    assert [one.status for one in answers] == [200] * 60 + [409]


async def test_concurrent_changes_of_services_are_all_kept(api: Api) -> None:
    await with_examinations(api)
    days = [f"2022-01-{day:02}" for day in range(1, 21)]
    answers = await asyncio.gather(
        *(put(api, f"{STUDY}/periods/{day}", PERIOD | {"until": day}) for day in days)
    )
    assert {answer.status for answer in answers} == {200}
    periods = (await study_room(api, "2021-03-01T10:00:00+08:00"))["periods"]
    assert [one["from"] for one in periods] == ["2021-03-01", *days]


async def test_a_service_without_hours_of_its_own_is_not_listed(api: Api) -> None:
    await with_examinations(api)
    at = "2021-03-01T10:00:00+08:00"
    assert (await api.insist("DELETE", STUDY, as_=STAFF, at=at)).json()["service_hours"] == []
    again = await api.insist("DELETE", STUDY, as_=STAFF, at=at)
    assert (again.status, again.json()["code"]) == (404, "no-such-service")
    assert (await events(api, "branch.hours-changed"))[-1]["service_hours"] == []


async def test_saying_the_same_hours_or_names_again_publishes_nothing(api: Api) -> None:
    await with_examinations(api)
    named = {"name": "Hong Kong Central Library", "names": CHINESE}
    await put(api, "/v1/branches/HKCL/names", named)
    before = len(await events(api, "branch.hours-changed"))
    bodies: dict[str, dict[str, Any]] = {
        STUDY: {"hours": USUAL},
        EXAMINATIONS: PERIOD,
        "/v1/branches/HKCL/names": named,
    }
    for path, body in bodies.items():
        assert (await put(api, path, body)).status == 200
    assert len(await events(api, "branch.hours-changed")) == before


@pytest.mark.parametrize(
    ("as_", "status"),
    [(None, 401), (token("p"), 403), (token("s", ["station"]), 403)],
    ids=["nobody", "a patron", "a station"],
)
async def test_only_staff_change_services_and_names(api: Api, as_: str | None, status: int) -> None:
    await with_examinations(api)
    bodies: dict[str, dict[str, Any]] = {
        STUDY: {"hours": []},
        EXAMINATIONS: PERIOD,
        "/v1/branches/HKCL/names": {"name": "X"},
    }
    for path, body in bodies.items():
        assert (await put(api, path, body, as_)).status == status
    assert (await api.delete(STUDY, as_=as_)).status == status
    assert (await api.delete(EXAMINATIONS, as_=as_)).status == status


async def test_a_branch_has_names_in_three_languages(api: Api) -> None:
    body = {"code": "HKCL", "name": "Central", "names": CHINESE, "kind": "central", "hours": WEEK}
    assert (await api.post("/v1/branches", body, as_=STAFF)).json()["names"] == CHINESE
    (told,) = await events(api, "branch.registered")
    assert told["names"] == CHINESE
    renamed = await put(api, "/v1/branches/HKCL/names", {"name": "Hong Kong Central Library"})
    assert (renamed.json()["name"], renamed.json()["names"]) == ("Hong Kong Central Library", {})
    (told,) = await events(api, "branch.hours-changed")
    assert (told["version"], told["name"], told["names"]) == (2, "Hong Kong Central Library", {})
    unknown = await put(api, "/v1/branches/NONE/names", {"name": "X"})
    wrong = await put(api, "/v1/branches/HKCL/names", {"name": "X", "names": {"fr": "Y"}})
    assert (unknown.status, wrong.status) == (404, 422)


@pytest.mark.parametrize("language", ["en", "zh-Hant", "zh-Hans"])
async def test_messages_and_feeds_name_a_branch_in_the_readers_language(
    api: Api, language: str
) -> None:
    await register(api, "HKCL")
    name = CHINESE.get(language, "Hong Kong Central Library")
    named = {"name": "Hong Kong Central Library", "names": CHINESE}
    await put(api, "/v1/branches/HKCL/names", named)
    now = "2021-02-01T10:00:00+08:00"
    await hear(api, registered("p1", language=language), "event-1", now)
    await hear(api, prefers("p1", 1, ("HKCL",), language=language), "event-2", now)
    await hear(api, reopened("HKCL"), "event-3", now)
    [item] = await inbox(api, "p1")
    assert name in item["text"]
    notice = {"title": "News", "content": "It is open.", "branches": ["HKCL"]}
    await api.insist("POST", "/v1/notices", notice, as_=STAFF, at=now)
    feed = (await api.get(f"/v1/notices.json?branch=HKCL&lang={language}")).json()
    assert name in feed["title"]
    assert feed["items"][0]["tags"] == [name]
