"""Due dates as announcements move them; overdue loans, their notices and fines so far."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from services.circulation.rules.branch_calendar import Announcement, BranchCalendar
from services.circulation.rules.calendar import Calendar, Cause, Closure
from services.circulation.rules.fines import Disposition, Late, Statement, is_late, statement
from services.circulation.rules.loan import DueMove, Loan, LoanState, Step, back_on, next_state
from services.circulation.rules.loan_period import LocalTime
from services.circulation.rules.suspension import FineSuspension, concerning


@dataclass(frozen=True, slots=True)
class CurrentLoan:
    """A loan as of its branch's newest announcement."""

    loan: Loan
    calendar: Calendar
    """Calendar in force of the lending branch."""
    moves: tuple[Loan, ...]
    """The loan after each move of its due date that is not saved yet, oldest first."""


def current(loan: Loan, branch: BranchCalendar) -> CurrentLoan:
    """Return the loan with the announcements that no sweep has applied to it yet."""
    moves = apply_announcements(loan, branch)
    return CurrentLoan(moves[-1] if moves else loan, branch.now, moves)


def apply_announcements(loan: Loan, branch: BranchCalendar) -> tuple[Loan, ...]:
    """Apply the announcements made since the loan's calendar version: one loan for each move.

    Announcements apply in order, each with the calendar as it stood then. The due dates are
    therefore the same whether every snapshot of the branch was processed or only the last. A loan
    that no announcement moves keeps its calendar version; applying the same announcements again
    does not move it either. Returns an empty tuple for a loan that is not open.
    """
    steps: list[Loan] = []
    if loan.state is not LoanState.OPEN:
        return ()
    for announced in branch.announced_since(loan.calendar_version):
        moved = loan
        if error := branch.error_announced(announced.version):
            moved = _restored(loan, branch, announced, error)
        if moved is loan:
            calendar = branch.as_of(announced.version)
            closure = calendar.closure_on(loan.due_on)
            if closure is None:
                continue
            moved = move_due(loan, calendar=calendar, cause=closure.cause, at=announced.at)
        if moved is not loan:
            steps.append(moved)
            loan = moved
    return tuple(steps)


def move_due(loan: Loan, *, calendar: Calendar, cause: Cause, at: datetime) -> Loan:
    """Move the due date to the next open day of a calendar that has changed.

    If the reopening staggers due dates, the loan gets one of its first open days, always the same
    one. Returns the same loan if the branch is open on the due date, or if no reopening is
    announced. In the second case the loan is not overdue, and the announcement of a reopening will
    move the date.

    Raises LoanLost or LoanNotOpen.
    """
    due_on = calendar.next_due(loan.due_on, stable_hash(loan.id))
    return _moved(loan, due_on or loan.due_on, calendar.version, cause, at)


def _restored(loan: Loan, branch: BranchCalendar, announced: Announcement, error: Closure) -> Loan:
    """Return the loan with the due date it would have without the closures recorded in error.

    Starts from the date set at check-out or last renewal and applies every announcement since, so
    moves by other closures stay. The result is never later than the present due date.
    """
    moves = [move for move in loan.moves if move.announced > loan.due_set_at_version]
    if not moves:
        return loan
    without = branch.errors(announced.version)
    due_on = moves[0].from_
    for earlier in branch.announced_since(loan.due_set_at_version):
        if earlier.version > announced.version:
            break
        calendar = branch.as_of(earlier.version, without)
        if calendar.closure_on(due_on) is not None:
            due_on = calendar.next_due(due_on, stable_hash(loan.id)) or due_on
    cause = replace(error.cause, kind="withdrawal")
    return _moved(loan, min(due_on, loan.due_on), announced.version, cause, announced.at)


def _moved(loan: Loan, due_on: date, announced: int, cause: Cause, at: datetime) -> Loan:
    """Set another due date and record its cause; return the same loan if the date is the same."""
    state = next_state(loan, Step.MOVE_DUE)
    if due_on == loan.due_on:
        return loan
    return replace(
        loan,
        state=state,
        due_on=due_on,
        due_time=loan.due.moved_to(due_on).time,
        moves=(*loan.moves, DueMove(loan.due_on, due_on, cause, at, announced)),
        calendar_version=announced,
        overdue_noticed_on=None,
        overdue_notices=0,
        due_soon_noticed_on=None,
        version=loan.version + 1,
    )


def stable_hash(loan_id: str) -> int:
    """Return a number that is always the same for a loan id and spreads loans evenly."""
    return int.from_bytes(hashlib.sha256(loan_id.encode()).digest()[:8])


def late_times(loan: Loan, until: date, at: LocalTime | None) -> Late | None:
    """Return the times from which and until which a loan by hours is late; None: a loan by days.

    `at` is the time on the day `until`. Of a day of which the time is not known, and of the day of
    a claim that the copy was returned, no hour counts.
    """
    if loan.due_time is None:
        return None
    known = at is not None and back_on(loan, until) == until
    return Late(loan.due_time.minute, at.minute if at is not None and known else 0)


def is_overdue(loan: Loan, calendar: Calendar, on: date, at: LocalTime | None = None) -> bool:
    """Return whether `on` is later than the first open day on or after the due date.

    A loan by hours is overdue on that day already, from its time on; `at` is the time on `on`.

    The calendar decides, not the stored date, so the answer is right before a sweep has moved the
    date. A loan that is claimed returned is judged as of the day of the claim.
    """
    due_on = calendar.next_open(loan.due_on)
    if loan.state is not LoanState.OPEN or due_on is None:
        return False
    return is_late(due_on, back_on(loan, on), late_times(loan, on, at))


def fine(
    loan: Loan,
    calendar: Calendar,
    suspensions: Iterable[FineSuspension],
    until: date,
    at: LocalTime | None = None,
) -> Statement:
    """Return the fine for the present due date if the copy came back on `until`, at that time.

    Uses only those `suspensions` that concern the lending branch. The fine does not grow while the
    loan is claimed returned.
    """
    return statement(
        due_on=loan.due_on,
        until=back_on(loan, until),
        policy=loan.policy,
        calendar=calendar,
        suspensions=concerning(suspensions, loan.branch_code, loan.branch_kind),
        late=late_times(loan, until, at),
    )


def is_due_soon(loan: Loan, calendar: Calendar, on: date, days: int) -> bool:
    """Return whether the loan is due within `days` days from `on` and this was not noticed yet.

    Returns False while the loan is claimed returned, and for a loan by hours.
    """
    due_on = calendar.next_open(loan.due_on)
    noticed = loan.due_soon_noticed_on or loan.claimed_returned_on or loan.due_time
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
