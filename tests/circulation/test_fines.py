"""Fine statements and accruing fines, on any day and under any suspension."""

import asyncio
import random
from datetime import date, timedelta
from typing import Any

import pytest

from services.circulation.rules import fines as fines_rules
from services.circulation.rules.branch_calendar import BranchCalendar
from services.circulation.rules.due_date import apply_announcements, is_overdue
from services.circulation.rules.loan import Loan
from services.circulation.rules.suspension import FineSuspension, concerning, relief_on
from shared.mongo import from_document
from tests.circulation.desk import OPS, SERVICE, STAFF, Desk, closure, noon
from tests.circulation.desk import branch as told
from tests.support import token

P1 = token("p1")


async def suspend(desk: Desk, **more: Any) -> dict[str, Any]:
    body = {"starts_on": "2020-12-10", "reason": "All libraries closed", **more}
    answer = await desk.api.post("/v1/fine-suspensions", body, as_=STAFF)
    assert answer.status == 201, answer.json()
    made: dict[str, Any] = answer.json()
    return made


async def resume(desk: Desk, suspension: dict[str, Any], on: str | None) -> Any:
    return await desk.api.patch(
        f"/v1/fine-suspensions/{suspension['id']}", {"resumes_on": on}, as_=STAFF
    )


async def statement(desk: Desk, loan: dict[str, Any], as_of: str) -> dict[str, Any]:
    answer = await desk.api.get(f"/v1/loans/{loan['id']}/fine-statement?as_of={as_of}", as_=P1)
    assert answer.status == 200, answer.json()
    found: dict[str, Any] = answer.json()
    return found


# ---- statements ---------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
async def test_the_statement_route_returns_the_result_of_the_pure_function(
    desk: Desk, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311
    loans = [
        await desk.loan(on="2020-11-20", branch=branch, category=category)
        for branch, category in (("HKCL", "adult"), ("LFU", "children"))
    ]
    first = date(2020, 11, 25)

    def day() -> str:
        return (first + timedelta(days=chance.randint(0, 90))).isoformat()

    for _ in range(3):
        starts, ends = sorted((day(), day()))
        scope = chance.choice([{}, {"kinds": ["small"]}, {"branches": ["HKCL"]}])
        await suspend(desk, starts_on=starts, resumes_on=ends if ends > starts else None, **scope)
    starts, ends = sorted((day(), day()))
    said = closure("c1", starts, (2, ends))
    await desk.hear(told(version=2, closures=(said,)))

    database = desk.api.app.state.database
    suspensions = [
        from_document(FineSuspension, found) async for found in database.suspensions.find()
    ]
    for loan in loans:
        stored = from_document(Loan, await database.loans.find_one({"_id": loan["id"]}))
        branch = from_document(
            BranchCalendar, await database.calendars.find_one({"_id": loan["branch"]})
        )
        assert not apply_announcements(stored, branch)
        for _ in range(5):
            as_of = date.fromisoformat(day())
            answer = await statement(desk, loan, as_of.isoformat())
            expected = fines_rules.statement(
                due_on=stored.due_on,
                until=as_of,
                policy=stored.policy,
                calendar=branch.now,
                suspensions=concerning(suspensions, branch.id, branch.kind),
            )
            assert fines_rules.from_document(answer) == expected
            relief = relief_on(suspensions, branch.id, branch.kind, as_of)
            assert answer["suspended"] == (relief is not None)
            resumes_on = relief.resumes_on.isoformat() if relief and relief.resumes_on else None
            assert answer["resumes_on"] == resumes_on
            assert answer["overdue"] == is_overdue(stored, branch.now, as_of)


async def test_a_statement_is_as_of_today_by_default(desk: Desk) -> None:
    loan = await desk.loan(on="2020-11-20")
    path = f"/v1/loans/{loan['id']}/fine-statement"
    # 1:30 am on 7 December in the library, 6 December in London.
    now = await desk.api.get(path, as_=P1, at="2020-12-06T17:30:00Z")
    assert (now.json()["as_of"], now.json()["amount_cents"]) == ("2020-12-07", 450)
    assert now.json()["currency"] == "HKD"
    for service_or_staff in (SERVICE, STAFF):
        assert (await desk.api.get(path, as_=service_or_staff)).status == 200
    assert (await desk.api.get(f"{path}?as_of=9999-12-31", as_=P1)).status == 422
    far = await desk.api.get(f"{path}?as_of=2099-01-01", as_=P1, at=noon("2020-12-07"))
    assert (far.json()["as_of"], far.json()["amount_cents"]) == ("2021-12-08", 13000)


async def test_suspended_days_are_free_and_earlier_days_are_charged(desk: Desk) -> None:
    loan = await desk.loan(on="2020-11-20")  # due on 4 December
    suspension = await suspend(desk, kinds=["central"])
    found = await statement(desk, loan, "2021-01-10")
    assert (found["amount_cents"], found["suspended"], found["resumes_on"]) == (750, True, None)
    assert found["spans"][1]["cause"]["id"] == suspension["id"]
    await resume(desk, suspension, "2021-03-05")
    found = await statement(desk, loan, "2021-03-06")
    assert (found["amount_cents"], found["suspended"]) == (1050, False)


async def test_accruing_fines_are_listed_for_loans_past_their_due_date(desk: Desk) -> None:
    late = await desk.loan(on="2020-11-20")
    await desk.loan(on="2020-12-01")
    elsewhere = await desk.loan(on="2020-11-19", branch="LFU")  # due on 3 December
    said = closure("c1", "2020-12-02", (2, None))
    await desk.hear(told("LFU", "small", version=2, closures=(said,)))
    await suspend(desk, starts_on="2020-12-06", resumes_on="2021-03-05", kinds=["central"])
    answer = await desk.api.get("/v1/me/accruing", as_=P1, at=noon("2020-12-08"))
    assert answer.json()["items"] == [
        {
            "loan_id": late["id"],
            "overdue": True,
            "amount_cents": 150,
            "per_day_cents": 150,
            "as_of": "2020-12-08",
            "suspended": True,
            "resumes_on": "2021-03-05",
            "loan_version": late["version"],
            "calendar_version": 1,
        },
        {
            "loan_id": elsewhere["id"],
            "overdue": False,
            "amount_cents": 0,
            "per_day_cents": 150,
            "as_of": "2020-12-08",
            "suspended": False,
            "resumes_on": None,
            "loan_version": elsewhere["version"],
            "calendar_version": 2,
        },
    ]
    assert answer.json()["suspensions_version"] == 1
    await suspend(desk, resumes_on="2020-12-20")
    nothing = await desk.api.get("/v1/me/accruing", as_=token("p2"))
    assert nothing.json() == {"items": [], "suspensions_version": 2}


# ---- suspensions --------------------------------------------------------------------------------


async def test_an_announced_resumption_can_be_moved_and_cancelled(desk: Desk) -> None:
    suspension = await suspend(desk, resumes_on="2020-12-20")
    for resumes_on, version in (("2021-03-05", 2), ("2021-03-05", 2), (None, 3)):
        answer = await resume(desk, suspension, resumes_on)
        assert (answer.json()["resumes_on"], answer.json()["version"]) == (resumes_on, version)
    assert await desk.count("fines.suspended") == 3
    listed = (await desk.api.get("/v1/fine-suspensions", as_=STAFF)).json()["items"]
    assert [item["id"] for item in listed] == [suspension["id"]]


async def test_fines_cannot_resume_before_they_were_suspended(desk: Desk) -> None:
    suspension = await suspend(desk)
    answer = await resume(desk, suspension, "2020-12-10")
    assert (answer.status, answer.json()["code"]) == (409, "resumes-before-start")
    body = {"starts_on": "2020-12-10", "resumes_on": "2020-12-09", "reason": "x"}
    answer = await desk.api.post("/v1/fine-suspensions", body, as_=STAFF)
    assert (answer.status, answer.json()["code"]) == (409, "resumes-before-start")
    unknown = await resume(desk, {"id": "none"}, None)
    assert (unknown.status, unknown.json()["code"]) == (404, "no-such-suspension")


async def test_a_resumption_is_published_once_and_again_if_its_day_moves(desk: Desk) -> None:
    suspension = await suspend(desk, resumes_on="2021-03-05")
    assert await resumed(desk, "2021-03-04") == 0
    # Four concurrent runs, one day late: the missed event is published once.
    done = await asyncio.gather(*(resumed(desk, "2021-03-06") for _ in range(4)))
    assert sum(done) == 1
    assert await desk.count("fines.resumed") == 1
    await resume(desk, suspension, "2021-05-03")
    assert await resumed(desk, "2021-05-02") == 0
    assert await resumed(desk, "2021-05-03") == 1


async def resumed(desk: Desk, day: str) -> int:
    answer = await desk.api.post("/v1/ops/jobs/circulation/fines-resumed", as_=OPS, at=noon(day))
    return int(answer.json()["done"])


async def test_a_suspension_lists_the_patrons_with_open_loans_in_its_scope(
    desk: Desk,
) -> None:
    for number in range(5):
        await desk.patron(f"s{number}")
        await desk.lend(*await desk.copies(2), to=f"s{number}")
    await desk.patron("m1")
    await desk.loan(to="m1", branch="LFU")
    back = await desk.loan(to="p1")
    await desk.take_back(back["barcode"], on="2020-11-21")

    central = [f"s{number}" for number in range(5)]
    for scope, expected in (
        ({"kinds": ["central"]}, central),
        ({"branches": ["LFU"]}, ["m1"]),
        ({"branches": ["LFU"], "kinds": ["central"]}, ["m1", *central]),
        ({}, ["m1", *central]),
        ({"kinds": ["mobile"]}, []),
    ):
        suspension = await suspend(desk, **scope)
        seen: list[str] = []
        after = ""
        while True:
            path = f"/v1/fine-suspensions/{suspension['id']}/patrons?limit=2{after}"
            page = (await desk.api.get(path, as_=SERVICE)).json()
            seen += [item["patron_id"] for item in page["items"]]
            if page["next"] is None:
                break
            after = f"&after={page['next']}"
        assert seen == expected
    assert (await desk.api.get("/v1/fine-suspensions/none/patrons", as_=STAFF)).status == 404
