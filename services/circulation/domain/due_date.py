"""The due date of a loan, as the announcements of its branch move it."""

import hashlib
from dataclasses import dataclass, replace
from datetime import date, datetime

from services.circulation.domain.branch_calendar import Announcement, BranchCalendar
from services.circulation.domain.calendar import Calendar, Closure
from services.circulation.domain.cause import Cause
from services.circulation.domain.loan import DueMove, Loan, LoanState, Step, next_state


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
