"""Branches over HTTP: registration, hours, access and the day of a branch."""

import asyncio
from typing import Any

import pytest

from tests.notices import library
from tests.support import Api, token

DECEMBER_1 = "2020-12-01T18:00:00+08:00"


async def test_registering_a_branch_publishes_one_event(api: Api) -> None:
    await library.register(api, "HKCL")
    body = {"code": "HKCL", "name": "Other", "kind": "small", "hours": []}
    again = await api.post("/v1/branches", body, as_=library.STAFF)
    assert (again.status, again.json()["code"]) == (409, "branch-exists")
    (told,) = await library.events(api, "branch.registered")
    assert (told["branch"], told["kind"], told["version"]) == ("HKCL", "central", 1)
    assert len(told["hours"]) == 6
    assert told["closures"] == []


async def test_concurrent_registrations_of_one_branch_code_succeed_once(api: Api) -> None:
    body = {"code": "HKCL", "name": "Central", "kind": "central", "hours": library.WEEK}
    answers = await asyncio.gather(
        *(api.post("/v1/branches", body, as_=library.STAFF) for _ in range(50))
    )
    library.assert_one_of(answers)
    assert len(await library.events(api, "branch.registered")) == 1


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"code": "hkcl"}, 422),
        ({"code": "X"}, 422),
        ({"kind": "huge"}, 422),
        ({"name": " "}, 422),
        ({"colour": "red"}, 422),
        ({"hours": [{"weekday": 8, "opens": "09:00", "closes": "10:00"}]}, 422),
        ({"hours": [{"weekday": 0, "opens": "09:00", "closes": "10:00"}]}, 422),
        ({"hours": [{"weekday": 1, "opens": "9:00", "closes": "10:00"}]}, 422),
        ({"hours": [{"weekday": 1, "opens": "24:00", "closes": "24:00"}]}, 422),
        ({"hours": [{"weekday": 1, "opens": "12:00", "closes": "10:00"}]}, 422),
        ({"hours": [{"weekday": 1, "opens": "00:00", "closes": "24:00"}]}, 201),
    ],
)
async def test_the_fields_of_a_branch_are_validated(
    api: Api, change: dict[str, Any], status: int
) -> None:
    body = {"code": "HKCL", "name": "Central", "kind": "central", "hours": [], **change}
    assert (await api.post("/v1/branches", body, as_=library.STAFF)).status == status


@pytest.mark.parametrize(
    ("as_", "status"),
    [(None, 401), ("no.such.token", 401), (token("p"), 403), (token("s", ["station"]), 403)],
    ids=["nobody", "nonsense", "a patron", "a station"],
)
async def test_only_staff_change_branches_closures_and_notices(
    api: Api, as_: str | None, status: int
) -> None:
    closure = {"kinds": ["small"], "from": "2020-12-02", "reason": "r"}
    reopen = {"reopened_on": "2021-02-19"}
    notice = {"title": "t", "content": "c"}
    hours = {"code": "HKCL", "name": "Central", "kind": "central", "hours": []}
    for path, body in {
        "branches": hours,
        "closures": closure,
        "closures/x/reopening": reopen,
        "closures/x/withdrawal": {"in_error": True, "reason": "r"},
        "notices": notice,
    }.items():
        assert (await api.post(f"/v1/{path}", body, as_=as_)).status == status, path
    assert (await api.patch("/v1/branches/HKCL", {"hours": []}, as_=as_)).status == status
    assert (await api.patch("/v1/closures/x", {"reason": "r"}, as_=as_)).status == status
    assert (await api.get("/v1/closures", as_=as_)).status == status
    assert (await api.get("/v1/closures/x", as_=as_)).status == status


async def test_branches_are_listed_without_a_token_in_pages(api: Api) -> None:
    await library.register(api)
    first = (await api.get("/v1/branches?limit=3")).json()
    rest = (await api.get(f"/v1/branches?limit=3&after={first['next']}")).json()
    assert [b["code"] for b in first["items"] + rest["items"]] == sorted(library.BRANCHES)
    assert rest["next"] is None
    missing = await api.get("/v1/branches/XX")
    assert (missing.status, missing.json()["code"]) == (404, "no-such-branch")


async def test_the_day_of_a_branch_is_the_library_day_of_business_time(api: Api) -> None:
    await library.register(api, "HKCL")
    late = await api.get("/v1/branches/HKCL", at="2020-11-01T17:00:00+00:00")
    assert late.json()["on"] == "2020-11-02"
    assert late.json()["open"]
    assert late.json()["hours"] == [library.WEEK[0]]
    sunday = await library.branch(api, "HKCL", "2020-11-01")
    assert (sunday["open"], sunday["hours"], sunday["closure"]) == (False, [], None)


async def test_new_hours_are_published_with_the_next_version(api: Api) -> None:
    await library.register(api, "HKCL")
    answer = await api.patch(
        "/v1/branches/HKCL", {"hours": library.WEEK[:1]}, as_=library.STAFF, at=DECEMBER_1
    )
    assert answer.status == 200
    assert answer.json()["weekly_hours"] == library.WEEK[:1]
    (told,) = await library.events(api, "branch.hours-changed")
    assert (told["version"], told["hours"]) == (2, library.TOLD_WEEK[:1])
    missing = await api.patch("/v1/branches/XX", {"hours": []}, as_=library.STAFF)
    assert missing.status == 404


async def test_weekdays_are_numbered_by_iso_8601(api: Api) -> None:
    """1 is Monday and 7 Sunday: a case with `weekly_closed: [7]` is a library without 7 here."""
    hours = [{"weekday": day, "opens": "10:00", "closes": "19:00"} for day in (6, 7)]
    body = {"code": "HKCL", "name": "Central", "kind": "central", "hours": hours}
    made = await api.post("/v1/branches", body, as_=library.STAFF, at=DECEMBER_1)
    assert made.json()["weekly_hours"] == hours
    for iso, on in enumerate((f"2020-12-{day:02}" for day in range(7, 14)), start=1):
        shown = await library.branch(api, "HKCL", on)  # 7 December 2020 is a Monday
        assert [one["weekday"] for one in shown["hours"]] == ([iso] if iso > 5 else [])
        assert shown["open"] == (iso > 5)


async def test_an_invalid_weekday_number_is_refused(api: Api) -> None:
    for day in (0, 8):
        hours = [{"weekday": day, "opens": "10:00", "closes": "19:00"}]
        body = {"code": "HKCL", "name": "Central", "kind": "central", "hours": hours}
        refused = await api.post("/v1/branches", body, as_=library.STAFF)
        assert refused.status == 422
        [error] = refused.json()["errors"]
        assert error["field"].endswith("hours.0.weekday"), error
