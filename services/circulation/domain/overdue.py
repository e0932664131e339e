"""Overdue loans: whether a loan is overdue or due soon, its notices, and its fine so far."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, timedelta

from services.circulation.domain.calendar import Calendar
from services.circulation.domain.fines import Disposition, Statement, statement
from services.circulation.domain.loan import Loan, LoanState, Step, back_on, next_state
from services.circulation.domain.suspension import FineSuspension, concerning


def is_overdue(loan: Loan, calendar: Calendar, on: date) -> bool:
    """Return whether `on` is later than the first open day on or after the due date.

    The calendar decides, not the stored date, so the answer is right before a sweep has moved the
    date. A loan that is claimed returned is judged as of the day of the claim.
    """
    due_on = calendar.next_open(loan.due_on)
    return loan.state is LoanState.OPEN and due_on is not None and back_on(loan, on) > due_on


def fine(
    loan: Loan, calendar: Calendar, suspensions: Iterable[FineSuspension], until: date
) -> Statement:
    """Return the fine for the present due date if the copy came back on `until`.

    Uses only those `suspensions` that concern the lending branch. The fine does not grow while the
    loan is claimed returned.
    """
    return statement(
        due_on=loan.due_on,
        until=back_on(loan, until),
        policy=loan.policy,
        calendar=calendar,
        suspensions=concerning(suspensions, loan.branch_code, loan.branch_kind),
    )


def is_due_soon(loan: Loan, calendar: Calendar, on: date, days: int) -> bool:
    """Return whether the loan is due within `days` days from `on` and this was not noticed yet.

    Returns False while the loan is claimed returned.
    """
    due_on = calendar.next_open(loan.due_on)
    noticed = loan.due_soon_noticed_on or loan.claimed_returned_on
    if loan.state is not LoanState.OPEN or noticed or due_on is None:
        return False
    return on <= due_on <= on + timedelta(days=days)


def notice_due_soon(loan: Loan, *, on: date) -> Loan:
    """Mark the loan as due soon, so that its patron is notified once for each due date."""
    state = next_state(loan, Step.NOTICE_DUE_SOON)
    return replace(loan, state=state, due_soon_noticed_on=on, version=loan.version + 1)


def overdue_notice(loan: Loan, calendar: Calendar, on: date, days: Sequence[int]) -> int | None:
    """Return the number of the overdue notice to give by `on`, from 1; None if none is to be given.

    `days` lists the days after the due date on which notices are given, such as 1, 7, 21. If
    several were missed, only the last is given.
    """
    due_on = calendar.next_open(loan.due_on)
    if due_on is None or not is_overdue(loan, calendar, on):
        return None
    number = sum(day <= (back_on(loan, on) - due_on).days for day in days)
    return number if number > loan.overdue_notices else None


def notice_overdue(loan: Loan, *, on: date, number: int) -> Loan:
    """Record overdue notice `number`, so that each notice is given once for each due date."""
    state = next_state(loan, Step.NOTICE_OVERDUE)
    return replace(
        loan,
        state=state,
        overdue_noticed_on=on,
        overdue_notices=number,
        version=loan.version + 1,
    )


def is_long_overdue(loan: Loan, overdue: Statement) -> bool:
    """Return whether an open loan with this statement is lost by the policy.

    The policy's `lost_after_days` counts overdue days on which the copy could have come back: not
    suspended days, and not closed days unless the policy counts them. A closure therefore never
    makes a loan lost. A loan that is claimed returned is not lost either. Koha's long-overdue job
    and Evergreen's count every day; their libraries close for days only.
    """
    counted = sum(span.days for span in overdue.spans if span.disposition in _COUNTED)
    return (
        loan.state is LoanState.OPEN
        and loan.claimed_returned_on is None
        and counted >= max(loan.policy.lost_after_days, 1)
    )


_COUNTED = (Disposition.CHARGED, Disposition.CAPPED, Disposition.GRACE)
