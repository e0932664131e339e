"""Activities during branch closures, as notices queries them before and after a closure."""

from typing import Any

import pytest

from services.events.closures.routes import INSIDE_AT_MOST
from tests.events.programme import STAFF, published
from tests.support import Api, token

NOTICES = token("notices", ["service"])
PATH = "/v1/effects/activities"


async def inside(api: Api, *closed: tuple[str, str | None], branch: str = "STPL") -> dict[str, Any]:
    """Query the activities during closures of a branch: (first day, day after the last or None)."""
    days = [
        {"branches": [branch], "starts_on": starts_on, "reopened_on": reopened_on}
        for starts_on, reopened_on in closed
    ]
    answer = await api.insist("POST", PATH, {"closed": days}, as_=NOTICES)
    assert answer.status == 200, answer.body
    found: dict[str, Any] = answer.json()
    return found


async def held(api: Api, starts_at: str, ends_at: str | None = None, **other: Any) -> str:
    """Publish an activity, by default at Sha Tin, and return its id."""
    where = {"branch": "STPL", "recording": None, **other}
    return str((await published(api, starts_at=starts_at, ends_at=ends_at, **where))["id"])


@pytest.mark.parametrize(
    ("starts_at", "ends_at", "falls"),
    [
        ("2020-12-09T23:59:59+08:00", None, False),
        ("2020-12-10T00:00:00+08:00", None, True),
        ("2020-12-18T23:59:59+08:00", None, True),
        ("2020-12-19T00:00:00+08:00", None, False),
        ("2020-12-01T10:00:00+08:00", "2020-12-10T00:00:00+08:00", False),
        ("2020-12-01T10:00:00+08:00", "2020-12-10T00:00:01+08:00", True),
        ("2020-12-01T10:00:00+08:00", "2021-03-01T10:00:00+08:00", True),
    ],
    ids=[
        "the last second before",
        "the first second",
        "the last second of the last closed day",
        "the first open day",
        "over as the closure begins",
        "on as it begins",
        "an exhibition that lasts longer than it",
    ],
)
async def test_an_activity_belongs_to_a_closure_by_the_library_day(
    api: Api, starts_at: str, ends_at: str | None, falls: bool
) -> None:
    activity = await held(api, starts_at, ends_at)
    found = await inside(api, ("2020-12-10", "2020-12-19"))
    assert [one["id"] for one in found["items"]] == ([activity] if falls else [])
    assert found["total"] == falls


async def test_a_closure_without_an_end_contains_all_later_activities(api: Api) -> None:
    late = await held(api, "2025-01-01T10:00:00+08:00")
    early = await held(api, "2020-12-11T10:00:00+08:00")
    await held(api, "2020-12-11T10:00:00+08:00", branch="TPO")
    await held(api, "2020-12-11T10:00:00+08:00", branch=None)
    cancelled = await held(api, "2020-12-12T10:00:00+08:00")
    because = {"reason": "The library is closed"}
    path = f"/v1/activities/{cancelled}/cancellation"
    assert (await api.insist("POST", path, because, as_=STAFF)).status == 200
    found = await inside(api, ("2020-12-10", None), ("2020-12-10", "2020-12-20"))
    assert [one["id"] for one in found["items"]] == [early, late]
    assert found["total"] == 2


async def test_each_listed_activity_shows_its_taken_places_and_waiting_patrons(api: Api) -> None:
    activity = await held(api, "2020-12-11T10:00:00+08:00", places=2)
    path = f"/v1/activities/{activity}/registration"
    for number in range(3):
        answer = await api.insist("POST", path, as_=token(f"p-{number}"), at="2020-12-01T10:00:00Z")
        assert answer.status in (201, 202), answer.body
    [one] = (await inside(api, ("2020-12-10", None)))["items"]
    assert (one["registered"], one["waiting"]) == (2, 1)
    assert (one["title"][:7], one["branch"], one["venue"]) == ("Factory", "STPL", "Online")


async def test_all_activities_are_counted_but_only_the_first_are_listed(api: Api) -> None:
    for minute in range(2):
        await held(api, f"2020-12-11T10:{minute:02}:00+08:00")
    database = api.app.state.database
    one = await database.activities.find_one({})
    more = [{**one, "_id": f"made-{number}"} for number in range(INSIDE_AT_MOST)]
    await database.activities.insert_many(more)
    found = await inside(api, ("2020-12-10", None))
    assert (len(found["items"]), found["total"]) == (INSIDE_AT_MOST, INSIDE_AT_MOST + 2)


@pytest.mark.parametrize("as_", [None, STAFF, token("p-1")], ids=["nobody", "staff", "a patron"])
async def test_only_services_may_list_activities_in_a_closure(api: Api, as_: str | None) -> None:
    closed = [{"branches": ["STPL"], "starts_on": "2020-12-10", "reopened_on": None}]
    assert (await api.post(PATH, {"closed": closed}, as_=as_)).status in (401, 403)
