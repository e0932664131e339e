"""Activities during a closure, in its preview and after it is announced."""

from typing import Any

import pytest

from tests.notices.lending import Lending
from tests.notices.library import STAFF, close, register, reopening
from tests.support import Api, token

DECEMBER_9 = "2020-12-09T10:00:00+08:00"
CLOSURE = {"from": "2020-12-10", "reopened_on": "2020-12-20", "reason": "Rain"}
TALK = {
    "id": "activity-1",
    "title": "Factory In and Out",
    "type": "talk",
    "venue": "Lecture Theatre",
    "branch": "HKCL",
    "starts_at": "2020-12-12T02:00:00Z",
    "ends_at": None,
    "registered": 38,
    "waiting": 4,
}


async def previewed(api: Api, path: str = "/v1/closures", **body: Any) -> Any:
    answer = await api.insist("POST", f"{path}?preview=true", body, as_=STAFF, at=DECEMBER_9)
    assert answer.status in (200, 201), answer.body
    return answer.json()["activities"]


async def inside(api: Api, closure_id: str, at: str = DECEMBER_9) -> Any:
    path = f"/v1/closures/{closure_id}/activities"
    answer = await api.insist("GET", path, as_=STAFF, at=at)
    assert answer.status == 200, answer.body
    return answer.json()


def days(lending: Lending) -> list[tuple[list[str], str, str | None]]:
    """Return the last query to events: branches, first closed day and first open day."""
    return [(one["branches"], one["starts_on"], one["reopened_on"]) for one in lending.closed]


async def test_a_preview_lists_the_activities_that_fall_into_the_closure(
    api: Api, lending: Lending
) -> None:
    await register(api, "HKCL", "STPL")
    lending.inside = [TALK]
    told = await previewed(api, branches=["STPL", "HKCL"], **CLOSURE)
    assert told == {"items": [TALK], "total": 1}
    assert days(lending) == [(["HKCL", "STPL"], "2020-12-10", "2020-12-20")]


async def test_activities_in_a_closure_are_listed_until_each_is_moved_or_cancelled(
    api: Api, lending: Lending
) -> None:
    await register(api, "HKCL")
    lending.inside = [TALK]
    made = (await close(api, DECEMBER_9, branches=["HKCL"], **CLOSURE)).json()
    assert await inside(api, made["id"]) == {"items": [TALK], "total": 1}
    assert days(lending) == [(["HKCL"], "2020-12-10", "2020-12-20")]
    lending.inside = []
    assert await inside(api, made["id"]) == {"items": [], "total": 0}


async def test_only_activities_on_future_days_of_a_closure_are_requested(
    api: Api, lending: Lending
) -> None:
    """Each branch has its own end; past days and withdrawn closures are left out."""
    await register(api, "HKCL", "STPL", "TPO")
    closure = {"from": "2020-12-01", "reason": "Rain"}
    made = (await close(api, DECEMBER_9, branches=["HKCL", "STPL", "TPO"], **closure)).json()
    path = f"/v1/closures/{made['id']}"
    await reopening(api, made["id"], DECEMBER_9, branches=["HKCL"], reopened_on="2020-12-20")
    await inside(api, made["id"])
    assert sorted(days(lending)) == [
        (["HKCL"], "2020-12-09", "2020-12-20"),
        (["STPL", "TPO"], "2020-12-09", None),
    ]
    await inside(api, made["id"], at="2020-12-20T09:00:00+08:00")
    assert days(lending) == [(["STPL", "TPO"], "2020-12-20", None)]

    withdrawal = {"branches": ["STPL"], "in_error": True, "reason": "It stayed open"}
    await previewed(api, f"{path}/withdrawal", **withdrawal)
    assert sorted(days(lending)) == [
        (["HKCL"], "2020-12-09", "2020-12-20"),
        (["TPO"], "2020-12-09", None),
    ]
    lending.closed = []
    everything = {"in_error": True, "reason": "They stayed open"}
    told = await previewed(api, f"{path}/withdrawal", **everything)
    assert (told, lending.closed) == ({"items": [], "total": 0}, [])


async def test_a_preview_says_that_the_activities_are_unknown_while_events_is_away(
    api: Api, lending: Lending
) -> None:
    await register(api, "HKCL")
    lending.events_away = True
    assert await previewed(api, branches=["HKCL"], **CLOSURE) is None
    made = (await close(api, DECEMBER_9, branches=["HKCL"], **CLOSURE)).json()
    path = f"/v1/closures/{made['id']}/activities"
    answer = await api.get(path, as_=STAFF, at=DECEMBER_9)
    assert (answer.status, answer.json()["code"]) == (503, "unavailable")


@pytest.mark.parametrize(
    ("as_", "status"), [(None, 401), (token("p-1"), 403), (STAFF, 404)], ids=["", "patron", "staff"]
)
async def test_only_staff_see_the_activities_of_existing_closures(
    api: Api, as_: str | None, status: int
) -> None:
    answer = await api.get("/v1/closures/none/activities", as_=as_, at=DECEMBER_9)
    assert answer.status == status


async def test_a_preview_lists_study_rooms_and_counts_the_messages_about_bookings(
    api: Api, lending: Lending
) -> None:
    await register(api, "HKCL", "STPL")
    session = {
        "branch": "HKCL",
        "starts_at": "2020-12-12T02:00:00Z",
        "ends_at": "2020-12-12T04:00:00Z",
        "season": None,
        "patrons": 3,
    }
    lending.in_rooms = {
        "items": [session],
        "total": 1,
        "bookings_ended": 3,
        "bookings_restored": 2,
    }
    body = {"branches": ["STPL", "HKCL"], **CLOSURE}
    answer = await api.insist("POST", "/v1/closures?preview=true", body, as_=STAFF, at=DECEMBER_9)
    effect = answer.json()
    assert effect["study_rooms"] == lending.in_rooms
    assert effect["notifications"] == 5
    assert {one["branch"]: one["version"] for one in lending.planned} == {"HKCL": 2, "STPL": 2}
    lending.events_away = True
    answer = await api.insist("POST", "/v1/closures?preview=true", body, as_=STAFF, at=DECEMBER_9)
    assert (answer.json()["study_rooms"], answer.json()["notifications"]) == (None, 0)
