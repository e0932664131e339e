"""Due dates follow the announcements of notices, in any order of events and with repeats."""

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson
import pytest

from services.circulation.closures.commands import note_calendar
from services.circulation.closures.consumers import keep_calendar
from services.circulation.closures.jobs import due_dates
from services.circulation.rules.branch_calendar import BranchCalendar
from services.circulation.rules.loan import Loan
from services.circulation.rules.policy import Policy
from services.notices.branches.rules import branch as branch_rules
from shared.contracts.calendars import Hours, WeeklyHours
from shared.mongo import from_document, to_document
from shared.unit_of_work import Origin, Run
from tests.circulation.branch_story import START, history, snapshot
from tests.circulation.desk import DAILY, STAFF, Desk, closure, noon
from tests.circulation.desk import branch as told
from tests.support import token

P1 = token("p1")


def run_of(desk: Desk, event_id: str) -> Run:
    """Return a runner of use cases with an event id for the inbox, as the listener makes it."""
    unit_of_work = desk.api.app.state.unit_of_work
    return Run(unit_of_work, Origin(datetime(2020, 12, 1, tzinfo=UTC)), inbox=event_id, within=30)


async def lend_some(desk: Desk, chance: random.Random) -> None:
    """Replace all loans by twelve made before any announcement, due on days of the whole story."""
    database = desk.api.app.state.database
    for name in ("loans", "calendars", "reworks", "sweeps", "inbox", "outbox"):
        await database[name].delete_many({})
    dues = [START + timedelta(days=chance.randint(1, 130)) for _ in range(12)]
    loans = [
        Loan(
            id=f"l{number:02}",
            patron_id=f"p{number}",
            patron_category="adult",
            title_id="t",
            copy_id=f"k{number}",
            barcode=f"b{number}",
            copy_category="adult",
            branch_code="X",
            branch_kind="central",
            policy=Policy(id="default"),
            borrowed_on=START,
            due_on=due,
            due_set_at_version=1,
            calendar_version=1,
        )
        for number, due in enumerate(dues)
    ]
    await database.loans.insert_many([to_document(loan) for loan in loans])
    assert await database.loans.count_documents({"set_under": 1}) == len(loans)


async def state(desk: Desk) -> list[dict[str, Any]]:
    """Run the sweeps, and return the loans; each move of a due date was published once."""
    await due_dates(desk.run())
    database = desk.api.app.state.database
    found = [document async for document in database.loans.find().sort("_id")]
    assert await desk.count("loan.due-date-changed") == sum(len(one["moves"]) for one in found)
    return found


@pytest.mark.parametrize("seeds", [range(first, first + 6) for first in range(0, 30, 6)])
async def test_branch_events_three_times_in_any_order_give_the_same_due_dates(
    desk: Desk, seeds: range
) -> None:
    moved = 0
    for seed in seeds:
        moved += await hear_in_every_way(desk, random.Random(seed), seed)  # noqa: S311
    assert moved


async def hear_in_every_way(desk: Desk, chance: random.Random, seed: int) -> int:
    """Process the same events in three ways, and return how many loans moved."""
    versions = history(chance)

    async def hear(branch: branch_rules.Branch) -> None:
        await keep_calendar(snapshot(branch), run_of(desk, str(branch.version)))
        if chance.random() < 0.5:  # or the sweep starts only after the next event
            await due_dates(desk.run())

    await lend_some(desk, random.Random(seed))  # noqa: S311
    for branch in versions:
        await hear(branch)
    expected = await state(desk)

    await lend_some(desk, random.Random(seed))  # noqa: S311
    for branch in chance.sample(versions * 3, len(versions) * 3):
        await hear(branch)
    assert await state(desk) == expected

    await lend_some(desk, random.Random(seed))  # noqa: S311
    await hear(versions[-1])
    assert await state(desk) == expected

    return sum(bool(loan["moves"]) for loan in expected)


# ---- what a patron sees -------------------------------------------------------------------------


async def test_a_due_date_waits_for_the_announcement_and_moves_once(desk: Desk) -> None:
    loan = await desk.loan(on="2020-11-20")  # due on 4 December
    await desk.hear(told(version=2, closures=(closure("c1", "2020-12-02", (2, None)),)))
    assert (await desk.stored(loan))["due_on"] == "2020-12-04"
    statement = await desk.api.get(
        f"/v1/loans/{loan['id']}/fine-statement", as_=P1, at=noon("2021-01-20")
    )
    assert (statement.json()["overdue"], statement.json()["due_on"]) == (False, None)

    end = closure("c1", "2020-12-02", (2, None), (3, "2021-02-19"))
    await desk.hear(told(version=3, closures=(end,)))
    moved = await desk.stored(loan)
    assert (moved["due_on"], moved["version"]) == ("2021-02-19", 2)
    [move] = moved["moves"]
    assert (move["from"], move["to"], move["cause"]) == ("2020-12-04", "2021-02-19", "c1")
    assert move["at"] == "2020-12-01T03:00:00Z"  # when announced, not when processed
    assert await desk.count("loan.due-date-changed") == 1


async def test_a_due_date_never_moves_earlier(desk: Desk) -> None:
    loan = await desk.loan(on="2020-11-20")
    said = closure("c1", "2020-12-02", (2, "2021-02-19"), (3, "2020-12-20"))
    await desk.hear(told(version=3, closures=(said,)))
    assert (await desk.stored(loan))["due_on"] == "2021-02-19"


async def test_a_loan_is_not_moved_by_closures_already_known_at_check_out(desk: Desk) -> None:
    said = closure("c1", "2020-12-02", (2, "2021-02-19"), (3, "2020-12-03"))
    await desk.hear(told(version=3, closures=(said,)))
    loan = await desk.loan(on="2020-11-20")
    await desk.hear(told(version=4, closures=(said,)))
    assert (await desk.stored(loan))["due_on"] == "2020-12-04"


async def test_a_renewal_before_the_sweep_moves_the_date_first(desk: Desk) -> None:
    loan = await desk.loan(on="2020-11-20")
    said = closure("c1", "2020-12-02", (2, "2021-02-19"))
    event = told(version=2, closures=(said,))
    await desk.run()(note_calendar, event)  # the sweep has not run yet
    answer = await desk.api.post(f"/v1/loans/{loan['id']}/renewals", as_=P1, at=noon("2021-02-10"))
    assert answer.json()["charge"] is None  # it was due on 19 February by then
    assert answer.json()["loan"]["due_on"] == "2021-02-24"
    assert answer.json()["loan"]["version"] == 3
    await desk.hear(event)
    assert (await desk.stored(loan))["version"] == 3
    assert await desk.count("loan.due-date-changed") == 1


async def test_the_overdue_job_uses_the_calendar_before_the_sweep(desk: Desk) -> None:
    loan = await desk.loan(on="2020-11-20")
    said = closure("c1", "2020-12-02", (2, "2020-12-10"))
    await desk.run()(note_calendar, told(version=2, closures=(said,)))
    assert await overdue(desk, "2020-12-10") == 0
    assert await overdue(desk, "2020-12-11") == 1
    assert (await desk.stored(loan))["due_on"] == "2020-12-10"
    assert await desk.count("loan.due-date-changed") == 1


async def test_an_overdue_notice_is_sent_again_when_a_moved_due_date_passes(desk: Desk) -> None:
    loan = await desk.loan(on="2020-11-20")
    assert await overdue(desk, "2020-12-04") == 0
    assert await overdue(desk, "2020-12-05") == 1
    assert await overdue(desk, "2020-12-06") == 0
    await desk.api.post(f"/v1/loans/{loan['id']}/renewals", as_=STAFF, at=noon("2020-12-06"))
    assert await overdue(desk, "2020-12-20") == 0
    assert await overdue(desk, "2020-12-21") == 1
    assert await desk.count("loan.overdue") == 2


async def test_later_overdue_notices_are_sent_on_set_days_after_the_due_date(desk: Desk) -> None:
    await desk.loan(on="2020-11-20")  # due 4 December
    days = ("2020-12-05", "2020-12-10", "2020-12-11", "2020-12-12", "2020-12-25")
    assert [await overdue(desk, day) for day in days] == [1, 0, 1, 0, 1]
    assert await overdue(desk, "2021-03-01") == 0
    missed = await desk.loan(on="2021-01-01")  # due on the 15th; the job did not run for weeks
    assert await overdue(desk, "2021-02-10") == 1
    assert (await desk.stored(missed))["version"] == 2
    told_as = desk.run().database.outbox.find({"topic": "loan.overdue"})
    numbers = [orjson.loads(row["body"])["notice"] async for row in told_as]
    assert numbers == [1, 2, 3, 3]


async def test_a_patron_is_reminded_once_of_each_coming_due_date(desk: Desk) -> None:
    loan = await desk.loan(on="2020-11-20")  # due 4 December
    days = ("2020-11-30", "2020-12-01", "2020-12-02", "2020-12-05")
    assert [await due_soon(desk, day) for day in days] == [0, 1, 0, 0]
    await desk.api.post(f"/v1/loans/{loan['id']}/renewals", as_=STAFF, at=noon("2020-12-04"))
    assert await due_soon(desk, "2020-12-18") == 1  # the day itself
    assert await desk.count("loan.due-soon") == 2


async def test_no_reminder_is_sent_for_a_due_date_on_a_closed_day(desk: Desk) -> None:
    await desk.loan(on="2020-11-20")
    await desk.hear(told(version=2, closures=(closure("c1", "2020-12-02", (2, None)),)))
    assert await due_soon(desk, "2020-12-01") == 0
    said = closure("c1", "2020-12-02", (2, None), (3, "2020-12-10"))
    await desk.hear(told(version=3, closures=(said,)))
    assert [await due_soon(desk, day) for day in ("2020-12-04", "2020-12-08")] == [0, 1]


async def test_the_overdue_job_reads_nothing_of_branches_closed_without_an_end(
    desk: Desk,
) -> None:
    await desk.loan(on="2020-11-20")
    await desk.hear(told(version=2, closures=(closure("c1", "2020-12-02", (2, None)),)))
    assert await overdue(desk, "2021-02-01") == 0
    [calendar] = [
        from_document(BranchCalendar, found)
        async for found in desk.api.app.state.database.calendars.find({"_id": "HKCL"})
    ]
    assert calendar.now.previous_open(date(2021, 1, 31)) == date(2020, 12, 1)


async def overdue(desk: Desk, day: str) -> int:
    answer = await desk.api.post("/v1/ops/jobs/circulation/overdue", as_=STAFF, at=noon(day))
    return int(answer.json()["done"])


async def due_soon(desk: Desk, day: str) -> int:
    answer = await desk.api.post("/v1/ops/jobs/circulation/due-soon", as_=STAFF, at=noon(day))
    return int(answer.json()["done"])


async def test_weekdays_without_hours_are_closing_days(desk: Desk) -> None:
    hours = tuple(Hours(weekday=day, opens="09:00", closes="20:00") for day in range(7) if day != 4)
    await desk.hear(told(version=2, hours=hours))
    loan = await desk.loan(on="2020-11-20")  # 4 December is a Friday
    assert loan["due_on"] == "2020-12-05"
    await desk.hear(told("ML1", "mobile", hours=()))  # without announced hours
    [barcode] = await desk.copies(1)
    [lent] = await desk.lend(barcode, branch="ML1")
    assert lent["loan"]["due_on"] == "2020-12-04"


async def test_hours_recorded_late_lower_the_fines_that_charged_their_closed_days(
    desk: Desk,
) -> None:
    loan = await desk.loan(on="2020-11-20")  # due on Friday, 4 December
    [returned] = await desk.take_back(loan["barcode"], on="2020-12-08")
    assert returned["charge"]["amount_cents"] == 600
    weekdays = tuple(hours for hours in DAILY if hours.weekday < 5)
    weeks = (
        WeeklyHours(version=1, from_=date(2020, 1, 1), hours=DAILY),
        WeeklyHours(version=2, from_=date(2020, 12, 1), hours=weekdays),
    )
    event = told(version=2, hours=weekdays).model_copy(update={"hours_history": weeks})
    await desk.hear(event, on=date(2020, 12, 10))
    answer = await desk.api.post("/v1/ops/jobs/circulation/rework-fines", as_=STAFF)
    assert answer.json()["done"] == 1
    charge = await desk.api.get(f"/v1/charges/{returned['charge']['id']}", as_=STAFF)
    assert charge.json()["amount_cents"] == 300  # Saturday and Sunday are free


async def test_a_fine_names_the_suspension_that_lowered_it_also_beside_a_change_of_hours(
    desk: Desk,
) -> None:
    loan = await desk.loan(on="2020-11-20")  # due on Friday, 4 December
    [returned] = await desk.take_back(loan["barcode"], on="2020-12-08")
    weeks = (
        WeeklyHours(version=1, from_=date(2020, 1, 1), hours=DAILY),
        WeeklyHours(version=2, from_=date(2020, 12, 1), hours=DAILY),
    )
    await desk.hear(told(version=2).model_copy(update={"hours_history": weeks}))
    body = {"starts_on": "2020-12-05", "resumes_on": "2020-12-07", "reason": "A storm"}
    suspension = await desk.api.post("/v1/fine-suspensions", body, as_=STAFF)
    await desk.api.post("/v1/ops/jobs/circulation/rework-fines", as_=STAFF)
    charge = await desk.api.get(f"/v1/charges/{returned['charge']['id']}", as_=STAFF)
    credit = next(entry for entry in charge.json()["entries"] if entry["kind"] == "credit")
    assert credit["amount_cents"] == -300
    assert credit["reference"] == f"suspension/{suspension.json()['id']}"


async def test_a_closure_that_ends_on_a_due_date_lowers_the_fine(desk: Desk) -> None:
    loan = await desk.loan(on="2020-11-20")  # due on Friday, 4 December
    [returned] = await desk.take_back(loan["barcode"], on="2020-12-08")
    assert returned["charge"]["amount_cents"] == 600  # four days
    closed = closure("c1", "2020-12-03", (2, "2020-12-05"))
    await desk.hear(told(version=2, closures=(closed,)), on=date(2020, 12, 10))
    answer = await desk.api.post("/v1/ops/jobs/circulation/rework-fines", as_=STAFF)
    assert answer.json()["done"] == 1
    charge = await desk.api.get(f"/v1/charges/{returned['charge']['id']}", as_=STAFF)
    assert charge.json()["amount_cents"] == 450  # due on 5 December instead: three days


async def test_answers_to_check_outs_and_renewals_count_the_renewals_that_a_closure_grants(
    desk: Desk,
) -> None:
    relief = closure("c-1", "2020-11-10", (2, "2020-12-20"))
    granting = relief.model_copy(update={"extra_renewals": 2})
    await desk.hear(told(version=2, closures=(granting,)))
    loan = await desk.loan(on="2020-11-20")
    assert loan["renewals_left"] == 7
    path = f"/v1/loans/{loan['id']}/renewals"
    for query in ("?preview=true", ""):
        answer = await desk.api.insist("POST", path + query, as_=P1, at=noon("2020-12-10"))
        renewed = answer.json()
        assert renewed.get("loan", renewed)["renewals_left"] == 6
