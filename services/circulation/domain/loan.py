"""A loan: one copy with one patron, from check-out to return."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Literal

from services.circulation.domain.branch_calendar import Announcement, BranchCalendar
from services.circulation.domain.calendar import Calendar, Closure
from services.circulation.domain.cause import Cause
from services.circulation.domain.copy import Copy, lend
from services.circulation.domain.fines import Disposition, Statement, statement
from services.circulation.domain.patron import Patron
from services.circulation.domain.policy import Policy
from services.circulation.domain.refusals import (
    HoldWaiting,
    LoanClaimed,
    LoanLimit,
    LoanLost,
    LoanNotOpen,
    NoClaim,
    NothingToGain,
    PatronBlocked,
    RenewalLimit,
    ReturnedBeforeBorrowed,
)
from services.circulation.domain.suspension import FineSuspension, concerning

Channel = Literal["desk", "station", "book-drop"]


class LoanState(StrEnum):
    """State of a loan."""

    OPEN = "open"
    LOST = "lost"
    RETURNED = "returned"


class Step(StrEnum):
    """Step that a loan can take after check-out."""

    RENEW = "renew"
    MOVE_DUE = "move due date"
    NOTICE_DUE_SOON = "notice due soon"
    NOTICE_OVERDUE = "notice overdue"
    GIVE_BACK = "give back"
    LOSE = "lose"
    CLAIM = "claim returned"
    REJECT_CLAIM = "reject claim"


LIFE: Mapping[tuple[LoanState, Step], LoanState] = {
    (LoanState.OPEN, Step.RENEW): LoanState.OPEN,
    (LoanState.OPEN, Step.MOVE_DUE): LoanState.OPEN,
    (LoanState.OPEN, Step.NOTICE_DUE_SOON): LoanState.OPEN,
    (LoanState.OPEN, Step.NOTICE_OVERDUE): LoanState.OPEN,
    (LoanState.OPEN, Step.GIVE_BACK): LoanState.RETURNED,
    (LoanState.LOST, Step.GIVE_BACK): LoanState.RETURNED,
    (LoanState.OPEN, Step.LOSE): LoanState.LOST,
    (LoanState.OPEN, Step.CLAIM): LoanState.OPEN,
    (LoanState.OPEN, Step.REJECT_CLAIM): LoanState.OPEN,
}
"""State that each step leads to, by present state and step. Any other step is refused."""


@dataclass(frozen=True, slots=True)
class DueMove:
    """A move of a loan's due date, with its cause and instant."""

    from_: date
    to: date
    cause: Cause
    at: datetime
    announced: int = 0
    """Version of the branch's calendar that moved the date."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loan:
    """One copy lent to one patron, under the policy row in force at check-out."""

    id: str
    patron_id: str
    patron_category: str
    title_id: str
    copy_id: str
    barcode: str
    copy_category: str
    branch_code: str
    """Code of the lending branch, which can differ from the branch that owns the copy."""
    branch_kind: str
    policy: Policy
    borrowed_on: date
    due_on: date
    """Due date last published to the patron. `is_overdue` decides whether the loan is overdue."""
    renewals: int = 0
    moves: tuple[DueMove, ...] = ()
    set_under: int = 0
    """Version of the branch's calendar at check-out or last renewal.
    Later announcements can move the due date. When one of them is withdrawn as recorded in
    error, the date that it moved is restored."""
    calendar_version: int = 0
    """Version of the branch's calendar at check-out, last renewal or last move of the due date.
    `catch_up` applies later announcements."""
    overdue_noticed_on: date | None = None
    """Day of the last overdue notice for this due date; None: no notice yet."""
    overdue_notices: int = 0
    """Number of overdue notices given for this due date; see `overdue_notice`."""
    due_soon_noticed_on: date | None = None
    """Day on which the due-soon job noticed this due date; None: not yet."""
    claimed_returned_on: date | None = None
    """Day on which the patron says that they returned the copy.
    Until the claim is settled, the fine stays as of that day and the loan can't be renewed."""
    state: LoanState = LoanState.OPEN
    lost_on: date | None = None
    """Day on which the loan was declared lost; kept when the copy is found later."""
    returned_on: date | None = None
    returned_branch: str | None = None
    returned_through: Channel | None = None
    final_fine: Statement | None = None
    """Fine at return or loss, with later reductions; None while the loan is open."""
    version: int = 1

    @property
    def policy_renewals_left(self) -> int:
        """Renewals that the policy alone still allows; see `renewals_left`."""
        return max(self.policy.renewals_allowed - self.renewals, 0)


def check_out(
    *,
    loan_id: str,
    copy: Copy,
    patron: Patron,
    blocked: bool,
    open_loans: int,
    policy: Policy,
    calendar: Calendar,
    on: date,
    hold_id: str | None = None,
) -> tuple[Loan, Copy]:
    """Return the new loan and its copy on loan.

    `calendar` is the lending branch's. `hold_id` is the patron's hold on the title, if any.

    Raises PatronBlocked, LoanLimit, CopyKept, LentBeforeReturn or another refusal that names the
    copy's state.
    """
    if blocked:
        raise PatronBlocked
    if open_loans >= policy.max_loans:
        raise LoanLimit(limit=policy.max_loans)
    loan = Loan(
        id=loan_id,
        patron_id=patron.id,
        patron_category=patron.category,
        title_id=copy.title_id,
        copy_id=copy.id,
        barcode=copy.barcode,
        copy_category=copy.category,
        branch_code=calendar.branch_code,
        branch_kind=calendar.branch_kind,
        policy=policy,
        borrowed_on=on,
        due_on=_due(on, policy.loan_days, calendar),
        set_under=calendar.version,
        calendar_version=calendar.version,
    )
    return loan, lend(copy, on, branch_code=calendar.branch_code, hold_id=hold_id)


def renew(loan: Loan, *, on: date, calendar: Calendar, queue: int, blocked: bool) -> Loan:
    """Return the loan renewed on `on`.

    `queue` is the number of waiting holds that the copy could serve. The new period counts from
    `on`. The caller assesses the fine of an overdue loan as of the same day. A closure in force on
    `on` can grant renewals beyond the policy's. A renewal that would not give a later due date is
    refused, so that it is not used up for nothing.

    Raises LoanLost, LoanNotOpen, LoanClaimed, PatronBlocked, HoldWaiting, RenewalLimit or
    NothingToGain.
    """
    state = _after(loan, Step.RENEW)
    if loan.claimed_returned_on:
        raise LoanClaimed
    if blocked:
        raise PatronBlocked
    if queue:
        raise HoldWaiting
    if not renewals_left(loan, calendar, on):
        raise RenewalLimit(limit=_renewals_allowed(loan, calendar, on))
    due_on = _due(on, loan.policy.renewal_days, calendar)
    if due_on <= loan.due_on:
        raise NothingToGain
    return replace(
        loan,
        state=state,
        due_on=due_on,
        renewals=loan.renewals + 1,
        set_under=calendar.version,
        calendar_version=calendar.version,
        overdue_noticed_on=None,
        overdue_notices=0,
        due_soon_noticed_on=None,
        version=loan.version + 1,
    )


def renewals_left(loan: Loan, calendar: Calendar, on: date) -> int:
    """Return the number of renewals left, with those that a closure in force on `on` grants.

    Returns 0 unless the loan is open. `calendar` is the lending branch's.
    """
    if loan.state is not LoanState.OPEN:
        return 0
    return max(_renewals_allowed(loan, calendar, on) - loan.renewals, 0)


def _renewals_allowed(loan: Loan, calendar: Calendar, on: date) -> int:
    return loan.policy.renewals_allowed + calendar.extra_renewals(on)


def move_due(loan: Loan, *, calendar: Calendar, cause: Cause, at: datetime) -> Loan:
    """Move the due date to the next open day of a calendar that has changed.

    If the reopening staggers due dates, the loan gets one of its first open days, always the same
    one. Returns the same loan if the branch is open on the due date, or if no reopening is
    announced. In the second case the loan is not overdue, and the announcement of a reopening will
    move the date.

    Raises LoanLost or LoanNotOpen.
    """
    due_on = calendar.next_due(loan.due_on, _lot(loan.id))
    return _moved(loan, due_on or loan.due_on, calendar.version, cause, at)


def catch_up(loan: Loan, branch: BranchCalendar) -> tuple[Loan, ...]:
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
            moved = _put_right(loan, branch, announced, error)
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


def _put_right(loan: Loan, branch: BranchCalendar, announced: Announcement, error: Closure) -> Loan:
    """Return the loan with the due date it would have without the closures recorded in error.

    Starts from the date set at check-out or last renewal and applies every announcement since, so
    moves by other closures stay. The result is never later than the present due date.
    """
    moves = [move for move in loan.moves if move.announced > loan.set_under]
    if not moves:
        return loan
    without = branch.errors(announced.version)
    due_on = moves[0].from_
    for heard in branch.announced_since(loan.set_under):
        if heard.version > announced.version:
            break
        calendar = branch.as_of(heard.version, without)
        if calendar.closure_on(due_on) is not None:
            due_on = calendar.next_due(due_on, _lot(loan.id)) or due_on
    cause = replace(error.cause, kind="withdrawal")
    return _moved(loan, min(due_on, loan.due_on), announced.version, cause, announced.at)


def _moved(loan: Loan, due_on: date, announced: int, cause: Cause, at: datetime) -> Loan:
    """Set another due date and record its cause; return the same loan if the date is the same."""
    state = _after(loan, Step.MOVE_DUE)
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


def _lot(loan_id: str) -> int:
    """Return a number that is always the same for a loan id and spreads loans evenly."""
    return int.from_bytes(hashlib.sha256(loan_id.encode()).digest()[:8])


def renewal_reference(loan: Loan) -> str:
    """Return the reference of the loan's last renewal, for the patron to quote: `RN-4F7K-Q2MD`.

    Repeated calls for the same renewal return the same reference.
    """
    digest = hashlib.sha256(f"{loan.id}/{loan.renewals}".encode()).digest()
    letters = "".join(_QUOTABLE[byte % len(_QUOTABLE)] for byte in digest[:8])
    return f"RN-{letters[:4]}-{letters[4:]}"


_QUOTABLE = "23456789ABCDEFGHJKMNPQRSTVWXYZ"  # no characters that are easily confused


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
    state = _after(loan, Step.NOTICE_DUE_SOON)
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
    state = _after(loan, Step.NOTICE_OVERDUE)
    return replace(
        loan,
        state=state,
        overdue_noticed_on=on,
        overdue_notices=number,
        version=loan.version + 1,
    )


def give_back(
    loan: Loan,
    *,
    on: date,
    branch_code: str,
    channel: Channel,
    final_fine: Statement | None = None,
) -> Loan:
    """Return the loan as ended: at any branch, by anyone, on a day that may be past.

    `final_fine` is the fine as assessed that day. A lost loan can end too, when its copy is found.
    For a loan claimed returned, the caller passes the day that `back_on` gives.

    Raises LoanNotOpen or ReturnedBeforeBorrowed.
    """
    state = _after(loan, Step.GIVE_BACK)
    if on < loan.borrowed_on:
        raise ReturnedBeforeBorrowed(borrowed_on=loan.borrowed_on)
    return replace(
        loan,
        state=state,
        returned_on=on,
        returned_branch=branch_code,
        returned_through=channel,
        final_fine=final_fine,
        version=loan.version + 1,
    )


def back_on(loan: Loan, on: date) -> date:
    """Return the day since which a copy that turns up on `on` counts as returned.

    This is the day of the claim if the loan is claimed returned, and never later than `on`.
    """
    return min(on, loan.claimed_returned_on or on)


def settled(loan: Loan, at_return: Statement) -> Statement:
    """Return the fine that the loan ends with: the lower of `at_return` and the fine at its loss.

    A loan that was not lost ends with `at_return`.
    """
    at_loss = loan.final_fine
    return at_loss if at_loss and at_loss.amount_cents <= at_return.amount_cents else at_return


def claim_returned(loan: Loan, on: date) -> Loan:
    """Record the patron's claim that they returned the copy on `on`.

    Returns the same loan if a claim is recorded already.

    Raises LoanLost, LoanNotOpen or ReturnedBeforeBorrowed.
    """
    state = _after(loan, Step.CLAIM)
    if on < loan.borrowed_on:
        raise ReturnedBeforeBorrowed(borrowed_on=loan.borrowed_on)
    if loan.claimed_returned_on:
        return loan
    return replace(loan, state=state, claimed_returned_on=on, version=loan.version + 1)


def reject_claim(loan: Loan) -> Loan:
    """Remove the claim from a loan whose copy was looked for and not found.

    Its fine is counted as if no claim had been made. Raises LoanLost, LoanNotOpen or NoClaim.
    """
    state = _after(loan, Step.REJECT_CLAIM)
    if not loan.claimed_returned_on:
        raise NoClaim
    return replace(loan, state=state, claimed_returned_on=None, version=loan.version + 1)


def lose(loan: Loan, on: date, final_fine: Statement) -> Loan:
    """Declare the loan lost on `on`, with its fine up to that day.

    Removes a claim that it was returned. Raises LoanLost or LoanNotOpen.
    """
    return replace(
        loan,
        state=_after(loan, Step.LOSE),
        claimed_returned_on=None,
        lost_on=on,
        final_fine=final_fine,
        version=loan.version + 1,
    )


def is_given_up(loan: Loan, overdue: Statement) -> bool:
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


def _due(on: date, days: int, calendar: Calendar) -> date:
    """Return the first open day at least `days` days after `on`.

    If no reopening is announced, returns that day itself; the announcement will move it.
    """
    due_on = on + timedelta(days=days)
    return calendar.next_open(due_on) or due_on


def _after(loan: Loan, step: Step) -> LoanState:
    if (state := LIFE.get((loan.state, step))) is not None:
        return state
    raise LoanLost if loan.state is LoanState.LOST else LoanNotOpen
