"""Reads of loans and their fines."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from services.circulation.calendars import store as calendars_store
from services.circulation.charges import store as charges_store
from services.circulation.loans.store import loans as store
from services.circulation.rules import loan as loan_rules
from services.circulation.rules.branch_calendar import BranchCalendar
from services.circulation.rules.charge import to_bill
from services.circulation.rules.copy import Copy, PastStep
from services.circulation.rules.due_date import current, fine, is_overdue
from services.circulation.rules.fines import Statement
from services.circulation.rules.loan import Loan, LoanState
from services.circulation.rules.loan_period import LocalTime
from services.circulation.rules.suspension import FineSuspension, relief_on
from services.circulation.rules.undo import UNDO_WITHIN
from shared.mongo import Database

LOANS_AT_ONCE = 1000
"""Number of returned loans whose charges one query checks."""


async def renewals_left(db: Database, loans: Iterable[Loan], day: date) -> dict[str, int]:
    """Return the number of renewals left on `day`, keyed by loan id."""
    loans = list(loans)
    calendars = await calendars_store.find(db, {loan.branch_code for loan in loans})
    return {
        loan.id: loan_rules.renewals_left(loan, calendars[loan.branch_code].now, day)
        for loan in loans
    }


async def past_of_copy(db: Database, copy: Copy) -> list[PastStep]:
    """Return what happened to a copy, the newest first, with its last return and present loan."""
    found = await asyncio.gather(
        store.find_of_copy(db, copy.id, store.OPEN), store.find_of_copy(db, copy.id, store.LOST)
    )
    steps = [*copy.past]
    if copy.returned_on:
        steps.append(PastStep(copy.returned_on, "returned", None))
    for loan in filter(None, found):
        steps.append(PastStep(loan.borrowed_on, "lent", loan.branch_code))
        if loan.lost_on:
            steps.append(PastStep(loan.lost_on, "lost", loan.branch_code))
    return sorted(steps, key=lambda step: step.on)[::-1]


@dataclass(frozen=True)
class LoanFine:
    """The fine of one loan on one day."""

    loan: Loan
    as_of: date
    statement: Statement
    overdue: bool
    suspended: bool
    resumes_on: date | None


@dataclass(frozen=True)
class Overdue:
    """The fines of a patron's loans past their stored due dates, with the data they depend on."""

    fines: list[LoanFine]
    calendars: Mapping[str, BranchCalendar]
    """Calendars by branch code."""
    suspensions_version: int
    """Sum of the versions of all fine suspensions: each change of one raises it."""


async def loan_fine(db: Database, loan: Loan, day: date, at: LocalTime | None = None) -> LoanFine:
    """Return a loan's fine if it came back at a time of `day`.

    For a loan that has ended, returns its final fine.
    """
    calendars = await calendars_store.find(db, {loan.branch_code})
    suspensions = await calendars_store.find_suspensions(db)
    [billed] = await _billed(db, [loan])
    return fine_of(billed, calendars[loan.branch_code], suspensions, day, at)


async def overdue(db: Database, patron_id: str, day: date) -> Overdue:
    """Return the fines, on `day`, of a patron's open loans past their stored due dates."""
    loans = await _billed(db, await store.find_due_before(db, patron_id, day))
    calendars = await calendars_store.find(db, {loan.branch_code for loan in loans})
    suspensions = await calendars_store.find_suspensions(db)
    fines = [fine_of(loan, calendars[loan.branch_code], suspensions, day) for loan in loans]
    return Overdue(fines, calendars, sum(suspension.version for suspension in suspensions))


async def _billed(db: Database, loans: Sequence[Loan]) -> list[Loan]:
    """Return one patron's loans, each capped as if it alone were billed now."""
    if all(loan.policy.patron_fine_cap_cents is None for loan in loans):
        return list(loans)
    unpaid = await charges_store.find_unpaid_fines_cents(db, loans[0].patron_id)
    return [to_bill(loan, unpaid) for loan in loans]


def fine_of(
    loan: Loan,
    branch: BranchCalendar,
    suspensions: list[FineSuspension],
    day: date,
    at: LocalTime | None = None,
) -> LoanFine:
    """Compute the result of `loan_fine` from data that has been read.

    Includes announcements that the sweep has not applied yet.
    """
    loan = current(loan, branch).loan
    if loan.state is not LoanState.OPEN:
        day = loan.returned_on or loan.lost_on or day
    relief = relief_on(suspensions, loan.branch_code, loan.branch_kind, day)
    return LoanFine(
        loan=loan,
        as_of=day,
        statement=loan.final_fine or fine(loan, branch.now, suspensions, day, at),
        overdue=is_overdue(loan, branch.now, day, at),
        suspended=relief is not None,
        resumes_on=relief.resumes_on if relief else None,
    )


async def loans_to_notice(db: Database, day: date, days: Sequence[int]) -> AsyncIterator[str]:
    """Yield the ids of the loans whose patrons may be due an overdue notice on `day`.

    `days` lists, for each notice in turn, the days after the due date on which it is given. A loan
    is overdue on `day` only if its branch was open on a day from the due date to the day before
    `day`. So its due date is on or before the branch's last open day before `day`.
    """
    due_by: dict[tuple[int, date], set[str]] = {}
    for code, branch in (await calendars_store.find(db)).items():
        last_open = branch.now.previous_open(day - timedelta(days=1))
        if last_open is None:
            continue
        for had, after in enumerate(days):
            due_on = min(last_open, day - timedelta(days=after))
            due_by.setdefault((had, due_on), set()).add(code)
    async for loan_id in store.to_notice(db, due_by):
        yield loan_id


async def loans_to_purge(db: Database, now: datetime) -> AsyncIterator[str]:
    """Yield the ids of returned loans without an unpaid amount, a refund due or a way to undo."""
    chunk: list[str] = []
    async for loan_id in store.returned(db, now - UNDO_WITHIN):
        chunk.append(loan_id)
        if len(chunk) == LOANS_AT_ONCE:
            for settled in await _settled(db, chunk):
                yield settled
            chunk.clear()
    for settled in await _settled(db, chunk):
        yield settled


async def _settled(db: Database, loan_ids: list[str]) -> list[str]:
    unsettled = await charges_store.unsettled_loans(db, loan_ids)
    return [loan_id for loan_id in loan_ids if loan_id not in unsettled]
