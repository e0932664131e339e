"""A preview equals the later effect: due dates, accruing fines and assessed fines."""

import random
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from services.circulation.calendars import store as calendars_store
from services.circulation.loans import queries as loans_queries
from services.circulation.rules.loan import Loan, LoanState
from services.circulation.rules.policy import HONG_KONG
from services.notices.branches.events import hours_changed
from services.notices.branches.rules import branch as branch_rules
from services.notices.branches.rules.hours import Hours
from services.notices.refusals import Refusal
from shared.mongo import from_document, to_document
from tests.circulation.desk import SERVICE, STAFF, Desk, noon

TODAY = date(2021, 1, 10)
FIRST = date(2020, 11, 1)
LOANS = 500
CLOSURES = 50
BRANCHES = {"A1": "central", "B1": "major", "C1": "small"}


async def lend_many(desk: Desk, chance: random.Random) -> None:
    """Insert 500 loans of three branches, borrowed on 61 different days, for two to six weeks."""
    rows = HONG_KONG.rows
    loans = []
    for number in range(LOANS):
        code = chance.choice(list(BRANCHES))
        borrowed = FIRST + timedelta(days=chance.randint(0, 60))
        loans.append(
            Loan(
                id=f"loan-{number:04}",
                patron_id=f"p{number % 300}",
                patron_category="adult",
                title_id="t",
                copy_id=f"copy-{number}",
                barcode=f"N{number}",
                copy_category="adult",
                branch_code=code,
                branch_kind=BRANCHES[code],
                policy=chance.choice(rows),
                borrowed_on=borrowed,
                due_on=borrowed + timedelta(days=14 * chance.randint(1, 3)),
                calendar_version=1,
            )
        )
    await desk.api.app.state.database.loans.insert_many([to_document(loan) for loan in loans])


async def take_back_some(desk: Desk, chance: random.Random) -> None:
    """Return sixty overdue loans, each with a fine."""
    database = desk.api.app.state.database
    for number in range(6):
        patron = f"q{number}"
        await desk.patron(patron)
        code = chance.choice(list(BRANCHES))
        barcodes = await desk.copies(10)
        lent = await desk.lend(*barcodes, to=patron, on="2020-11-10", branch=code)
        assert all(result["ok"] for result in lent)
        for barcode in barcodes:
            day = date(2020, 11, 28) + timedelta(days=chance.randint(0, 40))
            await desk.take_back(barcode, on=day.isoformat(), branch=code)
    assert await database.charges.count_documents({"kind": "fine"}) == 60


async def due_dates(desk: Desk) -> dict[str, str]:
    """Return the due date of every open loan, by its id."""
    found = desk.api.app.state.database.loans.find({"state": "open"}, {"due_on": 1})
    return {loan["_id"]: loan["due_on"] async for loan in found}


async def accruing(desk: Desk, day: date) -> int:
    """Return the fines of all open loans in cents, if all were returned on `day`."""
    database = desk.api.app.state.database
    found = [from_document(Loan, one) async for one in database.loans.find({"state": "open"})]
    assert all(loan.state is LoanState.OPEN for loan in found)
    calendars = await calendars_store.find(database)
    suspensions = await calendars_store.find_suspensions(database)
    return sum(
        loans_queries.fine_of(
            loan, calendars[loan.branch_code], suspensions, day
        ).statement.amount_cents
        for loan in found
    )


async def charged(desk: Desk) -> int:
    """Return the sum of all fines in cents."""
    found = desk.api.app.state.database.charges.find({"kind": "fine"}, {"amount_cents": 1})
    return sum([charge["amount_cents"] async for charge in found])


async def rework(desk: Desk, day: date) -> int:
    answer = await desk.api.post(
        "/v1/ops/jobs/circulation/rework-fines", as_=STAFF, at=noon(day.isoformat())
    )
    assert answer.status == 200, answer.json()
    return int(answer.json()["done"])


def close_or_reopen(
    branch: branch_rules.Branch, chance: random.Random, number: int
) -> branch_rules.Branch | None:
    """Return the branch after one random announcement; None if notices refuses it."""
    at = datetime(2021, 1, 10, 4, tzinfo=UTC) + timedelta(seconds=number)
    first = TODAY + timedelta(days=chance.randint(-60, 30))
    closures, chosen = branch.closures, chance.random()
    try:
        if closures and chosen < 0.3:
            closure = chance.choice(closures)
            day = closure.now.starts_on + timedelta(days=chance.randint(1, 40))
            stagger = chance.choice((1, 1, 3))
            terms = branch_rules.Terms(closure.closure_id, day, stagger_days=stagger)
            changed = branch_rules.reopen(branch, terms, at=at)
        elif closures and chosen < 0.45:
            name, wrong = chance.choice(closures).closure_id, chance.random() < 0.5
            changed = branch_rules.withdraw(branch, name, in_error=wrong, at=at, today=TODAY)
        else:
            end = None if chosen > 0.95 else first + timedelta(days=chance.randint(1, 25))
            changed = branch_rules.close(branch, f"c{number}", first, end, "typhoon", at=at)
    except Refusal:
        return None
    return changed if changed.version > branch.version else None


@pytest.fixture
async def busy(desk: Desk) -> dict[str, branch_rules.Branch]:
    """Set up three open branches with their loans."""
    chance = random.Random(2021)  # noqa: S311
    week = tuple(Hours(day, "09:00", "20:00") for day in range(7))
    branches = {
        code: branch_rules.register(code, code, kind, week, FIRST)
        for code, kind in BRANCHES.items()
    }
    await desk.hear(*(hours_changed(branch) for branch in branches.values()))
    await lend_many(desk, chance)
    await take_back_some(desk, chance)
    return branches


async def test_the_effects_of_fifty_closures_match_their_previews(
    desk: Desk, busy: dict[str, branch_rules.Branch]
) -> None:
    chance = random.Random(7)  # noqa: S311
    done = moved = credited = 0
    dates, fines, accrued = await due_dates(desk), await charged(desk), await accruing(desk, TODAY)
    for number in range(1_000):
        branch = chance.choice(list(busy.values()))
        changed = close_or_reopen(branch, chance, number)
        if changed is None:
            continue
        answer = await desk.api.post(
            "/v1/effects",
            {"branches": [hours_changed(changed).model_dump(mode="json", by_alias=True)]},
            as_=SERVICE,
            at=noon(TODAY.isoformat()),
        )
        assert answer.status == 200, answer.json()
        assert (await due_dates(desk), await charged(desk)) == (dates, fines)

        busy[branch.id] = changed
        await desk.hear(hours_changed(changed))
        lowered = await rework(desk, TODAY)
        old_dates, old_fines, old_accrued = dates, fines, accrued
        dates, fines, accrued = (
            await due_dates(desk),
            await charged(desk),
            await accruing(desk, TODAY),
        )
        freed, credit = old_accrued - accrued, old_fines - fines
        moves = Counter((old, dates[one]) for one, old in old_dates.items() if old != dates[one])
        said = answer.json()
        assert said == {
            "as_of": TODAY.isoformat(),
            "open_loans": await open_loans(desk, branch.id),
            "loans_moved": moves.total(),
            "due_date_moves": [
                {"from": from_, "to": to, "loans": loans}
                for (from_, to), loans in sorted(moves.items())
            ],
            "shelf_dates_moved": 0,
            "accruing_before_cents": said["accruing_before_cents"],
            "accruing_after_cents": said["accruing_before_cents"] - freed,
            "fines_lowered": lowered,
            "credited_cents": credit,
            "not_charged_cents": freed + credit,
            "currency": "HKD",
        }
        done += 1
        moved += moves.total()
        credited += credit
        if done == CLOSURES:
            break
    assert done == CLOSURES
    assert moved > LOANS / 2
    assert credited > 0


async def open_loans(desk: Desk, code: str) -> int:
    query = {"state": "open", "branch_code": code}
    return int(await desk.api.app.state.database.loans.count_documents(query))


@pytest.mark.parametrize(
    ("body", "frees"),
    [
        pytest.param({"starts_on": "2020-11-20", "resumes_on": "2020-12-20"}, True, id="past"),
        pytest.param({"starts_on": "2020-12-01", "kinds": ["small"]}, True, id="of a kind"),
        pytest.param({"starts_on": "2021-02-01"}, False, id="to come"),
    ],
)
async def test_the_effects_of_a_suspension_match_its_preview(
    desk: Desk, busy: dict[str, branch_rules.Branch], body: dict[str, Any], frees: bool
) -> None:
    assert busy
    at = noon(TODAY.isoformat())
    fines, accrued = await charged(desk), await accruing(desk, TODAY)
    body = {**body, "reason": "epidemic"}

    preview = await desk.api.post("/v1/fine-suspensions?preview=true", body, as_=STAFF, at=at)
    assert preview.status == 200, preview.json()
    assert await desk.api.app.state.database.suspensions.count_documents({}) == 0
    said = preview.json()

    made = await desk.api.post("/v1/fine-suspensions", body, as_=STAFF, at=at)
    assert made.status == 201, made.json()
    assert said["fines_lowered"] == await rework(desk, TODAY)
    assert said["credited_cents"] == fines - await charged(desk)
    freed = accrued - await accruing(desk, TODAY)
    assert said["not_charged_cents"] == freed + said["credited_cents"]
    assert (said["not_charged_cents"] > 0) is frees
    assert said["loans_moved"] == 0

    # After a withdrawal as an error, days count again; credits given before stay.
    path = f"/v1/fine-suspensions/{made.json()['id']}/withdrawal"
    withdrawal = {"reason": "the wrong year", "in_error": True}
    undo = await desk.api.post(f"{path}?preview=true", withdrawal, as_=STAFF, at=at)
    assert undo.json()["not_charged_cents"] == -freed
    assert (await desk.api.post(path, withdrawal, as_=STAFF, at=at)).status == 200
    assert await rework(desk, TODAY) == 0
    assert await accruing(desk, TODAY) == accrued
    assert await charged(desk) == fines - said["credited_cents"]
