"""All jobs: replicas share them, and they are safe to run twice and for any past day."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest

from services.circulation.app import JOBS
from services.circulation.charges.clients.double import Double
from services.circulation.charges.commands.payments import BeginPayment, begin_payment
from services.circulation.closures.consumers import keep_calendar
from tests.circulation.desk import OPS, STAFF, Desk, branch, closure, noon
from tests.circulation.shelf import kept

WORK = 6
"""Number of items that each job finds to process."""


async def lend(desk: Desk) -> None:
    """Lend copies that are due on 4 December."""
    await desk.lend(*await desk.copies(WORK))


async def lend_renewing(desk: Desk) -> None:
    """Lend copies under a policy that renews them on their due date."""
    row = {"renews_automatically": True, "reason": "a test"}
    answer = await desk.api.insist("PUT", "/v1/policies/default", row, as_=STAFF)
    assert answer.status == 200, answer.json()
    await lend(desk)


async def lend_priced(desk: Desk) -> None:
    await lend(desk)
    copies = desk.api.app.state.database.copies
    await copies.update_many({}, {"$set": {"price_cents": 5_000}})


async def lend_and_close(desk: Desk) -> None:
    """Lend copies and announce a closure; no sweep has run yet."""
    await lend(desk)
    ends = closure("c1", "2020-12-02", (2, "2020-12-10"))
    await keep_calendar(branch(version=2, closures=(ends,)), desk.run())


async def keep_on_the_shelf(desk: Desk) -> None:
    """Put copies on the hold shelf until 27 November."""
    for barcode in [one for _ in range(WORK) for one in await desk.copies(1)]:
        await kept(desk, "p1", barcode)


async def fine(desk: Desk) -> None:
    """Return copies two days late."""
    barcodes = await desk.copies(WORK)
    await desk.lend(*barcodes)
    await desk.take_back(*barcodes, on="2020-12-06")


async def fine_and_suspend(desk: Desk) -> None:
    await fine(desk)
    await suspend(desk, "2020-12-01")


async def leave_payments(desk: Desk) -> None:
    """Leave payments whose process ended once the money was reserved."""
    await fine(desk)
    database = desk.api.app.state.database
    for charge in [one["_id"] async for one in database.charges.find()]:
        run = desk.run(date(2020, 12, 7))
        begun = await run(begin_payment, BeginPayment((charge,), "p1"))
        await Double(database).authorise(begun)


async def bring_back(desk: Desk) -> None:
    barcodes = await desk.copies(WORK)
    await desk.lend(*barcodes)
    await desk.take_back(*barcodes, on="2020-12-01")


async def suspend_often(desk: Desk) -> None:
    for _ in range(WORK):
        await suspend(desk, "2020-12-01")


async def suspend(desk: Desk, first: str) -> None:
    body = {"starts_on": first, "resumes_on": "2020-12-10", "reason": "epidemic"}
    answer = await desk.api.insist(
        "POST", "/v1/fine-suspensions", body, as_=STAFF, at=noon("2020-11-20")
    )
    assert answer.status == 201, answer.json()


@dataclass(frozen=True)
class Case:
    """One job's preparation, day and published topic; with None it deletes loans instead."""

    arrange: Callable[[Desk], Awaitable[None]]
    day: str
    topic: str | None


CASES = {
    "due-soon": Case(lend, "2020-12-02", "loan.due-soon"),
    "renew-due": Case(lend_renewing, "2020-12-04", "loan.renewed"),
    "overdue": Case(lend, "2020-12-05", "loan.overdue"),
    "lost": Case(lend_priced, "2021-03-04", "loan.lost"),
    "holds": Case(keep_on_the_shelf, "2020-11-28", "hold.expired"),
    "due-dates": Case(lend_and_close, "2020-12-01", "loan.due-date-changed"),
    "sweep": Case(lend_and_close, "2020-12-01", "loan.due-date-changed"),
    "rework-fines": Case(fine_and_suspend, "2020-12-08", "fine.adjusted"),
    "payments": Case(leave_payments, "2020-12-08", "fine.paid"),
    "fines-resumed": Case(suspend_often, "2020-12-10", "fines.resumed"),
    "purge-loans": Case(bring_back, "2020-12-02", None),
}


def test_every_job_has_a_case() -> None:
    without_items_to_share = {"fold-terms", "note-changes"}
    assert set(CASES) | without_items_to_share == set(JOBS.by_name)


async def run_job(desk: Desk, job: str, day: str) -> None:
    answer = await desk.api.post(f"/v1/ops/jobs/circulation/{job}", as_=OPS, at=noon(day))
    assert answer.status == 200, answer.json()


async def done(desk: Desk, case: Case) -> int:
    if case.topic:
        return await desk.count(case.topic)
    return WORK - int(await desk.api.app.state.database.loans.count_documents({}))


async def told(desk: Desk, case: Case) -> list[dict[str, Any]]:
    found = desk.api.app.state.database.outbox.find({"topic": case.topic})
    return [row["headers"] async for row in found]


@pytest.mark.parametrize("job", CASES)
async def test_replicas_share_a_job_and_process_each_item_once(
    desk: Desk, second: Desk, job: str
) -> None:
    case = CASES[job]
    await case.arrange(desk)
    assert await done(desk, case) == 0
    await asyncio.gather(*(run_job(one, job, case.day) for one in (desk, second, desk, second)))
    assert await done(desk, case) == WORK
    await run_job(second, job, case.day)
    assert await done(desk, case) == WORK
    # Simulated years ago: events carry the day that the job was run for.
    sweeps = job in ("due-dates", "sweep")  # the sweeps' events carry the time of the announcement
    day = "2020-12-01" if sweeps else case.day
    assert {headers["ce_time"][:10] for headers in await told(desk, case)} <= {day}


@pytest.mark.parametrize(
    "job", ["due-soon", "overdue", "lost", "holds", "payments", "fines-resumed"]
)
async def test_a_job_run_for_a_day_on_which_nothing_was_due_does_nothing(
    desk: Desk, job: str
) -> None:
    """A late run for an earlier day uses that day, whatever happened since."""
    case = CASES[job]
    await case.arrange(desk)
    await run_job(desk, job, "2020-11-20")
    assert await done(desk, case) == 0
    await run_job(desk, job, case.day)
    assert await done(desk, case) == WORK
