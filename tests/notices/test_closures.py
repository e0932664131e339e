"""Closures over HTTP: recorded, reopened, amended and withdrawn, and their refusals."""

from typing import Any

import pytest

from tests.notices.library import (
    STAFF,
    TOLD_WEEK,
    WEEK,
    branch,
    close,
    events,
    record_closure,
    register,
    reopening,
)
from tests.support import Answer, Api

DECEMBER_1 = "2020-12-01T18:00:00+08:00"
DECEMBER_9 = "2020-12-09T18:00:00+08:00"
FEBRUARY_17 = "2021-02-17T16:00:00+08:00"


def ends(state: dict[str, Any]) -> dict[str, str | None]:
    return {covered["branch"]: covered["reopened_on"] for covered in state["covered"]}


async def test_the_closures_of_december_and_the_reopening_of_2021(api: Api) -> None:
    """Small and mobile libraries close on 2 December, others on the 10th; each reopens apart."""
    await register(api)
    small = await record_closure(
        api, DECEMBER_1, kinds=["small", "mobile"], **{"from": "2020-12-02"}
    )
    large = await record_closure(
        api, DECEMBER_9, kinds=["central", "major", "district"], **{"from": "2020-12-10"}
    )
    assert small["branches"] == ["LFU", "ML1"]
    assert large["branches"] == ["HKCL", "STPL", "TPO"]
    shut = await branch(api, "LFU", "2020-12-02")
    assert not shut["open"]
    assert shut["closure"] == {
        "id": small["id"],
        "from": "2020-12-02",
        "reopened_on": None,
        "reason": "Prevention of COVID-19",
    }
    assert (await branch(api, "HKCL", "2020-12-09"))["open"]

    special = [{"weekday": day, "opens": "10:00", "closes": "19:00"} for day in range(1, 7)]
    answer = await reopening(
        api,
        large["id"],
        FEBRUARY_17,
        kinds=["central"],
        reopened_on="2021-02-19",
        services=["lending", "returning"],
        hours=special,
        capacity=600,
        measures=["Hand hygiene"],
    )
    assert answer.status == 200, answer.body
    assert ends(answer.json()) == {"HKCL": "2021-02-19", "STPL": None, "TPO": None}
    assert answer.json()["reopened_on"] is None
    central = await branch(api, "HKCL", "2021-02-19")
    assert central["open"]
    assert central["hours"] == [{"weekday": 5, "opens": "10:00", "closes": "19:00"}]
    assert (central["services"], central["measures"]) == (
        ["lending", "returning"],
        ["Hand hygiene"],
    )
    assert (central["capacity"], central["closure"]) == (600, None)
    assert not (await branch(api, "HKCL", "2021-02-18"))["open"]
    assert not (await branch(api, "TPO", "2021-02-19"))["open"]

    rest = await reopening(api, large["id"], FEBRUARY_17, reopened_on="2021-02-20")
    assert ends(rest.json()) == dict.fromkeys(["HKCL", "STPL", "TPO"], "2021-02-20")
    assert rest.json()["reopened_on"] == "2021-02-20"

    told = await events(api, "branch.closed", "branch.reopened")
    assert [(e["topic"], e["branch"], e["version"], e["closure_id"]) for e in told[:5]] == [
        ("branch.closed", "LFU", 2, small["id"]),
        ("branch.closed", "ML1", 2, small["id"]),
        ("branch.closed", "HKCL", 2, large["id"]),
        ("branch.closed", "STPL", 2, large["id"]),
        ("branch.closed", "TPO", 2, large["id"]),
    ]
    first, again = (e for e in told if e["topic"] == "branch.reopened" and e["branch"] == "HKCL")
    assert (first["version"], first["reopened_on"], first["capacity"]) == (3, "2021-02-19", 600)
    said = again["closures"][0]["announcements"]
    assert [(a["version"], a["at"], a["reopened_on"]) for a in said] == [
        (2, "2020-12-09T10:00:00Z", None),
        (3, "2021-02-17T08:00:00Z", "2021-02-19"),
        (4, "2021-02-17T08:00:00Z", "2021-02-20"),
    ]
    assert again["services"] == []


async def test_a_reopened_branch_stays_open_when_the_rest_of_the_closure_gets_an_end(
    api: Api,
) -> None:
    await register(api)
    closure = await record_closure(
        api, DECEMBER_1, kinds=["small", "mobile"], **{"from": "2020-12-02"}
    )
    await reopening(
        api, closure["id"], "2021-03-31T10:00:00+08:00", kinds=["small"], reopened_on="2021-04-03"
    )
    later = await reopening(
        api, closure["id"], "2021-04-15T10:00:00+08:00", reopened_on="2021-04-19"
    )
    assert ends(later.json()) == {"LFU": "2021-04-03", "ML1": "2021-04-19"}
    nothing = await reopening(
        api, closure["id"], "2021-05-01T10:00:00+08:00", reopened_on="2021-05-03"
    )
    assert (nothing.status, nothing.json()["code"]) == (409, "nothing-to-reopen")
    put_right = await reopening(
        api,
        closure["id"],
        "2021-05-01T10:00:00+08:00",
        branches=["ML1"],
        reopened_on="2021-05-03",
    )
    assert ends(put_right.json()) == {"LFU": "2021-04-03", "ML1": "2021-05-03"}


JULY_1 = "2020-07-01T10:00:00+08:00"
EVERYWHERE = ["central", "major", "district", "small", "mobile"]


async def test_a_closure_of_all_branches_cancels_the_reopening_of_july_2020(
    api: Api,
) -> None:
    await register(api)
    first = await record_closure(api, JULY_1, branches=["TPO"], **{"from": "2020-07-02"})
    await reopening(api, first["id"], "2020-07-10T10:00:00+08:00", reopened_on="2020-07-20")
    everything = await record_closure(
        api, "2020-07-14T10:00:00+08:00", kinds=EVERYWHERE, **{"from": "2020-07-15"}
    )
    assert len(everything["branches"]) == 5
    assert not (await branch(api, "TPO", "2020-07-20"))["open"]
    told = (await events(api, "branch.closed"))[-1]
    assert [
        (closure["from"], [a["reopened_on"] for a in closure["announcements"]])
        for closure in told["closures"]
    ] == [("2020-07-02", [None, "2020-07-20"]), ("2020-07-15", [None])]
    assert [a["version"] for c in told["closures"] for a in c["announcements"]] == [2, 3, 4]


async def test_an_announced_reopening_can_be_cancelled_alone(api: Api) -> None:
    await register(api)
    first = await record_closure(api, JULY_1, kinds=["district", "small"], **{"from": "2020-07-02"})
    at = "2020-07-14T10:00:00+08:00"
    await reopening(api, first["id"], JULY_1, reopened_on="2020-07-20", services=["lending"])
    answer = await reopening(api, first["id"], at, branches=["TPO"], reopened_on=None)
    assert ends(answer.json()) == {"LFU": "2020-07-20", "TPO": None}
    (told,) = await events(api, "branch.closure-changed")
    assert (told["branch"], told["change"], told["services"]) == ("TPO", "reopening-taken-back", [])
    assert [a["reopened_on"] for a in told["closures"][0]["announcements"]] == [
        None,
        "2020-07-20",
        None,
    ]
    with_terms = await reopening(api, first["id"], at, reopened_on=None, services=["lending"])
    assert with_terms.status == 422
    too_late = await reopening(
        api, first["id"], "2020-07-20T10:00:00+08:00", branches=["LFU"], reopened_on=None
    )
    assert (too_late.status, too_late.json()["code"]) == (409, "reopened-already")


async def test_the_end_of_a_typhoon_closure_does_not_reopen_branches_in_a_longer_closure(
    api: Api,
) -> None:
    await register(api)
    await record_closure(api, DECEMBER_1, kinds=["small", "mobile"], **{"from": "2020-12-02"})
    typhoon = await record_closure(
        api,
        DECEMBER_9,
        kinds=["central", "small"],
        reason="Typhoon signal no. 8",
        **{"from": "2020-12-10", "reopened_on": "2020-12-11"},
    )
    assert typhoon["branches"] == ["HKCL", "LFU"]
    assert not (await branch(api, "HKCL", "2020-12-10"))["open"]
    assert (await branch(api, "HKCL", "2020-12-11"))["open"]
    assert not (await branch(api, "LFU", "2020-12-11"))["open"]


async def test_recording_a_closure_twice_is_refused_as_a_whole_naming_the_branches(
    api: Api,
) -> None:
    await register(api)
    await record_closure(api, DECEMBER_1, kinds=["small", "mobile"], **{"from": "2020-12-02"})
    answer = await close(
        api, DECEMBER_9, kinds=["central"], branches=["LFU", "ML1"], **{"from": "2020-12-02"}
    )
    problem = answer.json()
    assert (answer.status, problem["code"]) == (409, "closed-already")
    assert problem["branches"] == ["LFU", "ML1"]
    assert (await branch(api, "HKCL", "2020-12-10"))["open"]
    assert len(await events(api, "branch.closed")) == 2


async def withdrawal(api: Api, closure_id: str, at: str, **body: Any) -> Answer:
    body = {"reason": "A slip of the pen", "in_error": False, **body}
    return await api.post(f"/v1/closures/{closure_id}/withdrawal", body, as_=STAFF, at=at)


async def test_a_closure_can_be_withdrawn_for_some_branches_then_for_all(api: Api) -> None:
    await register(api)
    closure = await record_closure(
        api, DECEMBER_1, kinds=["small", "mobile"], **{"from": "2020-12-02"}
    )
    some = await withdrawal(api, closure["id"], DECEMBER_9, branches=["LFU"])
    assert some.status == 200, some.body
    assert ends(some.json()) == {"LFU": "2020-12-09", "ML1": None}
    assert not some.json()["withdrawn"]
    assert (await branch(api, "LFU", "2020-12-09"))["open"]
    assert not (await branch(api, "LFU", "2020-12-08"))["open"]  # it was closed that day after all
    rest = await withdrawal(api, closure["id"], DECEMBER_9, in_error=True)
    assert [c["withdrawn"] for c in rest.json()["covered"]] == ["in-error", "in-error"]
    assert rest.json()["withdrawn"]
    assert (await branch(api, "LFU", "2020-12-08"))["open"]
    told = await events(api, "branch.closure-changed")
    assert [(e["branch"], e["change"], e["change_reason"]) for e in told] == [
        ("LFU", "withdrawn", "A slip of the pen"),
        ("LFU", "withdrawn-in-error", "A slip of the pen"),
        ("ML1", "withdrawn-in-error", "A slip of the pen"),
    ]
    assert told[-1]["closures"][0]["announcements"][-1]["in_error"]
    nothing = await withdrawal(api, closure["id"], DECEMBER_9, in_error=True)
    assert (nothing.status, nothing.json()["code"]) == (409, "nothing-to-withdraw")
    unknown = await withdrawal(api, "none", DECEMBER_9)
    assert (unknown.status, unknown.json()["code"]) == (404, "no-such-closure")


async def test_a_past_closure_can_be_withdrawn_only_as_an_error(api: Api) -> None:
    await register(api, "LFU")
    span = {"from": "2020-12-02", "reopened_on": "2020-12-05"}
    closure = await record_closure(api, DECEMBER_1, kinds=["small"], **span)
    over = await withdrawal(api, closure["id"], DECEMBER_9, branches=["LFU"])
    assert (over.status, over.json()["code"]) == (409, "closure-over")
    error = await withdrawal(api, closure["id"], DECEMBER_9, in_error=True)
    assert error.status == 200


async def test_a_closure_is_amended_for_all_its_branches(api: Api) -> None:
    await register(api)
    closure = await record_closure(
        api, DECEMBER_1, kinds=["small", "mobile"], **{"from": "2020-12-02"}
    )
    path = f"/v1/closures/{closure['id']}"
    answer = await api.patch(path, {"from": "2020-12-04"}, as_=STAFF, at=DECEMBER_1)
    assert (answer.status, answer.json()["from"]) == (200, "2020-12-04")
    assert (await branch(api, "LFU", "2020-12-03"))["open"]
    answer = await api.patch(path, {"reason": "Works"}, as_=STAFF, at=DECEMBER_1)
    assert answer.json()["reason"] == "Works"
    told = await events(api, "branch.closure-changed")
    assert [(e["branch"], e["version"], e["change"]) for e in told] == [
        ("LFU", 3, "amended"),
        ("ML1", 3, "amended"),
        ("LFU", 4, "amended"),
        ("ML1", 4, "amended"),
    ]
    assert [(a["from"], a["reason"]) for a in told[-1]["closures"][0]["announcements"]] == [
        ("2020-12-02", "Prevention of COVID-19"),
        ("2020-12-04", "Prevention of COVID-19"),
        ("2020-12-04", "Works"),
    ]
    assert (await api.patch(path, {}, as_=STAFF)).status == 422
    await withdrawal(api, closure["id"], DECEMBER_9)
    gone = await api.patch(path, {"reason": "Other"}, as_=STAFF)
    assert (gone.status, gone.json()["code"]) == (409, "closure-withdrawn")


async def test_a_branch_snapshot_has_every_field_that_circulation_uses(api: Api) -> None:
    await register(api, "LFU")
    relief = {"extra_renewals": 2}
    closure = await record_closure(
        api, DECEMBER_1, kinds=["small"], relief=relief, **{"from": "2020-12-02"}
    )
    await reopening(
        api,
        closure["id"],
        DECEMBER_9,
        reopened_on="2020-12-20",
        stagger_days=5,
        hours=WEEK[:2],
    )
    await api.patch(
        "/v1/branches/LFU", {"hours": WEEK[:1], "from": "2021-01-01"}, as_=STAFF, at=DECEMBER_9
    )
    told = (await events(api, "branch.hours-changed"))[-1]
    assert [(w["version"], w["from"], w["hours"]) for w in told["hours_history"]] == [
        (1, "2020-11-01", TOLD_WEEK),
        (4, "2021-01-01", TOLD_WEEK[:1]),
    ]
    (shut,) = told["closures"]
    assert shut["extra_renewals"] == 2
    said = shut["announcements"][-1]
    assert said["special_hours"] == TOLD_WEEK[:2]
    assert (said["stagger_days"], said["on_terms"]) == (5, True)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"from": "2020-12-02"}, 422, "malformed"),
        ({"branches": [], "kinds": [], "from": "2020-12-02"}, 422, "malformed"),
        ({"branches": ["XX", "HKCL"], "from": "2020-12-02"}, 404, "no-such-branch"),
        ({"kinds": ["station"], "from": "2020-12-02"}, 409, "no-branch-covered"),
        (
            {"kinds": ["small"], "from": "2020-12-02", "reopened_on": "2020-12-02"},
            409,
            "reopened-before-closed",
        ),
        ({"kinds": ["small"], "from": "2020-12-02", "relief": {"money": 1}}, 422, "malformed"),
        ({"kinds": ["small"], "from_": "2020-12-02"}, 422, "malformed"),
    ],
    ids=["no scope", "empty scope", "unknown branch", "empty kind", "no day", "relief", "from_"],
)
async def test_an_invalid_closure_is_refused(
    api: Api, body: dict[str, Any], status: int, code: str
) -> None:
    await register(api)
    answer = await close(api, DECEMBER_1, **body)
    assert (answer.status, answer.json()["code"]) == (status, code)
    assert await events(api, "branch.closed") == []
    assert (await api.get("/v1/closures", as_=STAFF)).json()["items"] == []


async def test_an_invalid_reopening_is_refused(api: Api) -> None:
    await register(api)
    closure = await record_closure(api, DECEMBER_9, kinds=["central"], **{"from": "2020-12-10"})
    early = await reopening(api, closure["id"], DECEMBER_9, reopened_on="2020-12-09")
    assert (early.status, early.json()["code"]) == (409, "reopened-before-closed")
    other = await reopening(
        api, closure["id"], DECEMBER_9, branches=["TPO"], reopened_on="2020-12-20"
    )
    assert (other.status, other.json()["code"]) == (409, "not-in-closure")
    unknown = await reopening(api, "none", DECEMBER_9, reopened_on="2020-12-20")
    assert (unknown.status, unknown.json()["code"]) == (404, "no-such-closure")
    no_date = await reopening(api, closure["id"], DECEMBER_9, services=["lending"])
    assert no_date.status == 422
    assert await events(api, "branch.reopened") == []


async def test_staff_read_closures_newest_first(api: Api) -> None:
    await register(api)
    small = await record_closure(
        api,
        DECEMBER_1,
        kinds=["small"],
        relief={"extra_renewals": 1},
        **{"from": "2020-12-02"},
    )
    large = await record_closure(api, DECEMBER_9, kinds=["central"], **{"from": "2020-12-10"})
    listed = (await api.get("/v1/closures", as_=STAFF)).json()
    assert listed == {"items": [large, small], "next": None}
    first = (await api.get("/v1/closures?limit=1", as_=STAFF)).json()
    assert first["next"] == large["id"]
    after = (await api.get(f"/v1/closures?limit=1&after={first['next']}", as_=STAFF)).json()
    assert after["items"] == [small]
    assert small["relief"] == {"extra_renewals": 1}
    of_branch = (await api.get("/v1/closures?branch=HKCL", as_=STAFF)).json()
    assert of_branch["items"] == [large]
    assert (await api.get(f"/v1/closures/{small['id']}", as_=STAFF)).json() == small
    assert (await api.get("/v1/closures/none", as_=STAFF)).status == 404
