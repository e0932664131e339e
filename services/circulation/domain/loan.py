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
    PatronBlocked,
    RenewalLimit,
    ReturnedBeforeBorrowed,
)
from services.circulation.domain.suspension import FineSuspension, concerning

Channel = Literal["desk", "station", "book-drop"]


class LoanState(StrEnum):
    """Where a loan is in its life."""

    OPEN = "open"
    LOST = "lost"
    RETURNED = "returned"


class Step(StrEnum):
    """What can happen to a loan after check-out."""

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
"""The loan's life: the state that each step leads to. A step that is not here is refused."""


@dataclass(frozen=True, slots=True)
class DueMove:
    """A due date that moved, why, and when."""

    from_: date
    to: date
    cause: Cause
    at: datetime
    announced: int = 0
    """The version of the branch's calendar that made it move."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loan:
    """One copy with one patron, under the policy row of the day it was lent."""

    id: str
    patron_id: str
    patron_category: str
    title_id: str
    copy_id: str
    barcode: str
    copy_category: str
    branch_code: str
    """The lending branch, which need not be the copy's own."""
    branch_kind: str
    policy: Policy
    borrowed_on: date
    due_on: date
    """The date last told to the patron. What is overdue is decided by the rule: `is_overdue`."""
    renewals: int = 0
    moves: tuple[DueMove, ...] = ()
    set_under: int = 0
    """The version of the branch's calendar under which the due date was set, at check-out or last
    renewal: what was announced after it moves the date, and of its errors those are put right."""
    calendar_version: int = 0
    """The version of the branch's calendar that the due date takes account of; see `catch_up`."""
    overdue_noticed_on: date | None = None
    """When the overdue job last noticed that this due date has passed."""
    overdue_notices: int = 0
    """How many notices there were of this due date; see `overdue_notice`."""
    due_soon_noticed_on: date | None = None
    """When the due-soon job noticed that this due date is near."""
    claimed_returned_on: date | None = None
    """The day on which the patron says that it came back; until that is settled, its fine stands as
    of that day, and it can't be renewed."""
    state: LoanState = LoanState.OPEN
    lost_on: date | None = None
    """When it was declared lost; it stays so where the copy is found again."""
    returned_on: date | None = None
    returned_branch: str | None = None
    returned_through: Channel | None = None
    final_fine: Statement | None = None
    """How the fine stood at return or loss; None while the loan is open."""
    version: int = 1

    @property
    def renewals_left(self) -> int:
        """How often the loan may still be renewed."""
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
    """The new loan, and the copy as it leaves. `calendar` is the lending branch's.

    `hold_id` is the patron's hold on the title. Raises PatronBlocked, LoanLimit, CopyKept,
    LentBeforeReturn or another refusal that names the copy's state.
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
    """The loan after renewal on `on`; `queue` counts the holds that its copy could serve.

    The new period counts from the day of renewal, but never ends before the present due date. The
    fine of an overdue loan is to be assessed first, on the same day. A closure in force on `on`
    may grant more renewals than the policy does.
    Raises LoanLost, LoanNotOpen, LoanClaimed, PatronBlocked, HoldWaiting or RenewalLimit.
    """
    state = _after(loan, Step.RENEW)
    if loan.claimed_returned_on:
        raise LoanClaimed
    if blocked:
        raise PatronBlocked
    if queue:
        raise HoldWaiting
    allowed = loan.policy.renewals_allowed + calendar.extra_renewals(on)
    if loan.renewals >= allowed:
        raise RenewalLimit(limit=allowed)
    return replace(
        loan,
        state=state,
        due_on=max(loan.due_on, _due(on, loan.policy.renewal_days, calendar)),
        renewals=loan.renewals + 1,
        set_under=calendar.version,
        calendar_version=calendar.version,
        overdue_noticed_on=None,
        overdue_notices=0,
        due_soon_noticed_on=None,
        version=loan.version + 1,
    )


def move_due(loan: Loan, *, calendar: Calendar, cause: Cause, at: datetime) -> Loan:
    """The loan with its due date on the next open day of a calendar that has changed.

    Where the reopening spreads the dates that it moves, on one of its first open days, always the
    same for the same loan. The same loan if the branch is open that day, or no reopening is
    announced: then the stored date waits for the announcement, and the loan is not overdue
    meanwhile. Raises LoanLost or LoanNotOpen.
    """
    due_on = calendar.next_due(loan.due_on, _lot(loan.id))
    return _moved(loan, due_on or loan.due_on, calendar.version, cause, at)


def catch_up(loan: Loan, branch: BranchCalendar) -> tuple[Loan, ...]:
    """The loan after each move of its due date that announcements since its calendar make.

    Announcements are taken in their order, each on the calendar as it stood then, so the dates
    are the same whether the lending branch's snapshots were heard one by one or only the last.
    A loan that none of them moves keeps its calendar's version: taken again, they move it no more
    than now. Empty for a loan that is not open.
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
    """The loan with the due date that it would have had without the closures in error so far.

    Worked out from the date set at check-out or last renewal, through all that was announced
    since: so what another closure would have moved stays moved. Never later than it is now.
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
    """The loan with another due date, and what moved it; the same loan if it is the same date."""
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
    """A number that is always the same for a loan, and spreads loans evenly."""
    return int.from_bytes(hashlib.sha256(loan_id.encode()).digest()[:8])


def renewal_reference(loan: Loan) -> str:
    """What a patron can quote for the last renewal of a loan, as `RN-4F7K-Q2MD`.

    The same for the same renewal, so that a call repeated is answered alike.
    """
    digest = hashlib.sha256(f"{loan.id}/{loan.renewals}".encode()).digest()
    letters = "".join(_QUOTABLE[byte % len(_QUOTABLE)] for byte in digest[:8])
    return f"RN-{letters[:4]}-{letters[4:]}"


_QUOTABLE = "23456789ABCDEFGHJKMNPQRSTVWXYZ"  # nothing that is read as another over the telephone


def is_due_soon(loan: Loan, calendar: Calendar, on: date, days: int) -> bool:
    """Whether the loan is due on `on` or up to `days` after it, and this was not noticed yet.

    Who says that it is back already is not reminded of it.
    """
    due_on = calendar.next_open(loan.due_on)
    noticed = loan.due_soon_noticed_on or loan.claimed_returned_on
    if loan.state is not LoanState.OPEN or noticed or due_on is None:
        return False
    return on <= due_on <= on + timedelta(days=days)


def notice_due_soon(loan: Loan, *, on: date) -> Loan:
    """The loan, marked so that its patron is told once for each due date."""
    state = _after(loan, Step.NOTICE_DUE_SOON)
    return replace(loan, state=state, due_soon_noticed_on=on, version=loan.version + 1)


def overdue_notice(loan: Loan, calendar: Calendar, on: date, days: Sequence[int]) -> int | None:
    """Which notice the patron of an overdue loan is to have by `on`: 1 is the first; None: no new.

    `days` says on which day after the due date each is given, as 1, 7, 21. Of several that were
    missed only the last is given.
    """
    due_on = calendar.next_open(loan.due_on)
    if due_on is None or not is_overdue(loan, calendar, on):
        return None
    number = sum(day <= (back_on(loan, on) - due_on).days for day in days)
    return number if number > loan.overdue_notices else None


def notice_overdue(loan: Loan, *, on: date, number: int) -> Loan:
    """The loan, marked so that its patron has each notice once for each due date."""
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
    """The loan as it ends: at any branch, by anyone, on a day that may be past.

    `final_fine` is its fine as assessed that day: what becomes known later does not change it. A
    copy that was lost is found by it. One that was claimed returned is back since `back_on`.

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
    """The day since which a copy that turns up on `on` counts as returned."""
    return min(on, loan.claimed_returned_on or on)


def settled(loan: Loan, at_return: Statement) -> Statement:
    """The fine with which a loan ends. What was assessed at its loss is lowered, never raised."""
    at_loss = loan.final_fine
    return at_loss if at_loss and at_loss.amount_cents <= at_return.amount_cents else at_return


def claim_returned(loan: Loan, on: date) -> Loan:
    """The loan whose patron says that it came back on `on`; the same, if they have said so before.

    Raises LoanLost, LoanNotOpen or ReturnedBeforeBorrowed.
    """
    state = _after(loan, Step.CLAIM)
    if on < loan.borrowed_on:
        raise ReturnedBeforeBorrowed(borrowed_on=loan.borrowed_on)
    if loan.claimed_returned_on:
        return loan
    return replace(loan, state=state, claimed_returned_on=on, version=loan.version + 1)


def reject_claim(loan: Loan) -> Loan:
    """The loan after its copy was looked for and not found: its fine is counted as if nothing had
    been said. Raises LoanLost, LoanNotOpen or NoClaim.
    """
    state = _after(loan, Step.REJECT_CLAIM)
    if not loan.claimed_returned_on:
        raise NoClaim
    return replace(loan, state=state, claimed_returned_on=None, version=loan.version + 1)


def lose(loan: Loan, on: date, final_fine: Statement) -> Loan:
    """The loan, declared lost on `on`, with its fine up to that day. Raises LoanLost, LoanNotOpen.

    A claim that it was returned is given up by it.
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
    """Whether an open loan with this statement is lost by the rule.

    The policy's days are overdue days on which it could have come back: neither suspended nor
    closed (unless the policy counts those). So nothing is declared lost because of a closure.
    Koha's long-overdue job and Evergreen's count every day; their libraries close for days.
    """
    counted = sum(span.days for span in overdue.spans if span.disposition in _COUNTED)
    return (
        loan.state is LoanState.OPEN
        and loan.claimed_returned_on is None
        and counted >= max(loan.policy.lost_after_days, 1)
    )


_COUNTED = (Disposition.CHARGED, Disposition.CAPPED, Disposition.GRACE)


def is_overdue(loan: Loan, calendar: Calendar, on: date) -> bool:
    """Whether the loan is overdue on `on`: later than the first open day on or after its due date.

    By the rule, not the stored date, so it is right while a closure's sweep is still under way. One
    that is claimed returned is as it was on the day of the claim.
    """
    due_on = calendar.next_open(loan.due_on)
    return loan.state is LoanState.OPEN and due_on is not None and back_on(loan, on) > due_on


def fine(
    loan: Loan, calendar: Calendar, suspensions: Iterable[FineSuspension], until: date
) -> Statement:
    """The fine of the loan's present due date if it came back on `until`.

    Of `suspensions`, those that concern the lending branch are taken. While the loan is claimed
    returned its fine does not grow.
    """
    return statement(
        due_on=loan.due_on,
        until=back_on(loan, until),
        policy=loan.policy,
        calendar=calendar,
        suspensions=concerning(suspensions, loan.branch_code, loan.branch_kind),
    )


def _due(on: date, days: int, calendar: Calendar) -> date:
    """The first open day, `days` after `on` or later.

    With no reopening announced it is that day itself, to be moved by the announcement.
    """
    due_on = on + timedelta(days=days)
    return calendar.next_open(due_on) or due_on


def _after(loan: Loan, step: Step) -> LoanState:
    if (state := LIFE.get((loan.state, step))) is not None:
        return state
    raise LoanLost if loan.state is LoanState.LOST else LoanNotOpen
