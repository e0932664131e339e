"""A loan: one copy with one patron, from check-out to return."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Literal

from services.circulation import refusals
from services.circulation.rules.calendar import Calendar, Cause
from services.circulation.rules.copy import Copy, lend
from services.circulation.rules.fines import Statement
from services.circulation.rules.loan_period import (
    Due,
    LocalTime,
    first_due,
    promised_due,
    renewed_due,
)
from services.circulation.rules.patron import Patron, check_card
from services.circulation.rules.policy import Policy

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
    UNDO_CHECK_OUT = "undo check-out"
    UNDO_RETURN = "undo return"


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
    (LoanState.OPEN, Step.UNDO_CHECK_OUT): LoanState.RETURNED,
    (LoanState.RETURNED, Step.UNDO_RETURN): LoanState.OPEN,
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
    """Due date last published to the patron; `due_date.is_overdue` does not go by it alone."""
    renewals: int = 0
    moves: tuple[DueMove, ...] = ()
    due_set_at_version: int = 0
    """Version of the branch's calendar at check-out or last renewal.
    Later announcements can move the due date. When one of them is withdrawn as recorded in
    error, the date that it moved is restored."""
    calendar_version: int = 0
    """Version of the branch's calendar at check-out, last renewal or last move of the due date.
    `due_date.apply_announcements` applies later announcements."""
    overdue_noticed_on: date | None = None
    """Day of the last overdue notice for this due date; None: no notice yet."""
    overdue_notices: int = 0
    """Number of overdue notices given for this due date; see `due_date.overdue_notice`."""
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
    due_time: LocalTime | None = None
    """Time on the due date from which a loan by hours is overdue; None: a loan by days."""
    ended_holds: tuple[str, ...] = ()
    """Ids of the patron's holds that its check-out ended, so that an undo restores them."""
    returned_at: datetime | None = None
    """Business time of the return, UTC. It can be undone for some time: see `undo`."""
    lent_at: datetime | None = None
    """Time of a check-out that was reported later; None: it was recorded at once."""
    lent_through: Channel | None = None
    """None: the patron borrowed by phone, or it is a loan of an earlier release."""
    version: int = 1

    @property
    def due(self) -> Due:
        """Due date and time, before any move that is not saved yet."""
        return Due(self.due_on, self.due_time)

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
    of_category: int = 0,
    at_branch: int = 0,
    policy: Policy,
    calendar: Calendar,
    on: date,
    time: LocalTime | None = None,
    promised: Due | None = None,
    hold_id: str | None = None,
    channel: Channel | None = None,
) -> tuple[Loan, Copy]:
    """Return the new loan and its copy on loan.

    `calendar` is the lending branch's. `time` is the time on the day `on`, for a loan by hours.
    `promised` is the due date that an offline station gave. `hold_id` is the patron's hold on the
    title, if any. `of_category` and `at_branch` count the patron's open loans of copies of this
    category, and those that this branch lent.

    Raises CardExpired, PatronBlocked, OnSiteOnly, LoanLimit, CopyKept, LentBeforeReturn or another
    refusal that names the copy's state.
    """
    check_card(patron.card_expires_on, on)
    if blocked:
        raise refusals.PatronBlocked
    if not policy.lendable:
        raise refusals.OnSiteOnly
    if open_loans >= policy.max_loans:
        raise refusals.LoanLimit(limit=policy.max_loans)
    for count, most, kind in (
        (of_category, policy.max_loans_of_category, copy.category),
        (at_branch, policy.max_loans_at_branch, calendar.branch_code),
    ):
        if most is not None and count >= most:
            raise refusals.LoanLimit(limit=f"{most} ({kind})")
    due = first_due(policy, calendar, Due(on, time))
    due = promised_due(due, promised, calendar) if promised else due
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
        policy=policy.at_price(copy.price_cents),
        borrowed_on=on,
        due_on=due.on,
        due_time=due.time,
        due_set_at_version=calendar.version,
        calendar_version=calendar.version,
        lent_through=channel,
    )
    return loan, lend(copy, on, branch_code=calendar.branch_code, hold_id=hold_id)


def renew(
    loan: Loan,
    *,
    on: date,
    calendar: Calendar,
    queue: int,
    blocked: bool,
    card_expires_on: date | None = None,
    unlimited: bool = False,
    time: LocalTime | None = None,
) -> Loan:
    """Return the loan renewed on `on`, at `time` of that day.

    `queue` is the number of waiting holds that the copy could serve. The new period counts from
    `on`, or from the due date if the policy says so. The caller assesses the fine of an overdue
    loan as of the same day. A closure in force on `on` can grant renewals beyond the policy's. A
    renewal that would not give a later due date is refused, so that it is not used up for nothing.
    `unlimited`: staff override the policy's number of renewals.

    Raises LoanLost, LoanNotOpen, LoanClaimed, CardExpired, PatronBlocked, HoldWaiting, RenewalLimit
    or NothingToGain.
    """
    state = next_state(loan, Step.RENEW)
    if loan.claimed_returned_on:
        raise refusals.LoanClaimed
    check_card(card_expires_on, on)
    if blocked:
        raise refusals.PatronBlocked
    if queue:
        raise refusals.HoldWaiting
    if not unlimited and not renewals_left(loan, calendar, on):
        raise refusals.RenewalLimit(limit=_renewals_allowed(loan, calendar, on))
    due = renewed_due(loan.policy, calendar, loan.due, Due(on, time))
    if not due.is_later(loan.due):
        raise refusals.NothingToGain
    return replace(
        loan,
        state=state,
        due_on=due.on,
        due_time=due.time,
        renewals=loan.renewals + 1,
        due_set_at_version=calendar.version,
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


def renewal_reference(loan: Loan) -> str:
    """Return the reference of the loan's last renewal, for the patron to quote: `RN-4F7K-Q2MD`.

    Repeated calls for the same renewal return the same reference.
    """
    digest = hashlib.sha256(f"{loan.id}/{loan.renewals}".encode()).digest()
    letters = "".join(_QUOTABLE[byte % len(_QUOTABLE)] for byte in digest[:8])
    return f"RN-{letters[:4]}-{letters[4:]}"


_QUOTABLE = "23456789ABCDEFGHJKMNPQRSTVWXYZ"  # no characters that are easily confused


def give_back(
    loan: Loan,
    *,
    on: date,
    branch_code: str,
    channel: Channel,
    final_fine: Statement | None = None,
    at: datetime | None = None,
) -> Loan:
    """Return the loan as ended: at any branch, by anyone, on a day that may be past.

    `final_fine` is the fine as assessed that day, `at` the time of the scan. A lost loan can end
    too, when its copy is found.
    For a loan claimed returned, the caller passes the day that `back_on` gives.

    Raises LoanNotOpen or ReturnedBeforeBorrowed.
    """
    state = next_state(loan, Step.GIVE_BACK)
    if on < loan.borrowed_on:
        raise refusals.ReturnedBeforeBorrowed(borrowed_on=loan.borrowed_on)
    return replace(
        loan,
        state=state,
        returned_on=on,
        returned_branch=branch_code,
        returned_through=channel,
        final_fine=final_fine,
        returned_at=at,
        version=loan.version + 1,
    )


def check_reported_return(loan: Loan, on: date, at: datetime, recorded_at: datetime | None) -> None:
    """Raise LentThatDay if a loan of the day began after its return, which is reported later.

    `recorded_at` is when the loan was recorded. A record that is a day away tells no time: the
    check-out was back-dated.
    """
    began = loan.lent_at or recorded_at
    if loan.borrowed_on == on and began and at < began < at + timedelta(days=1):
        raise refusals.LentThatDay(borrowed_on=on)


def back_on(loan: Loan, on: date) -> date:
    """Return the day since which a copy that turns up on `on` counts as returned.

    This is the day of the claim if the loan is claimed returned, and never later than `on`.
    """
    return min(on, loan.claimed_returned_on or on)


def settled(loan: Loan, at_return: Statement) -> Statement:
    """Return the fine that the loan ends with: the lower of `at_return` and that of a loss."""
    at_loss = loan.final_fine
    return at_loss if at_loss and at_loss.amount_cents <= at_return.amount_cents else at_return


def claim_returned(loan: Loan, on: date) -> Loan:
    """Record the patron's claim that they returned the copy on `on`.

    Returns the same loan if a claim is recorded already. Raises LoanLost, LoanNotOpen or
    ReturnedBeforeBorrowed.
    """
    state = next_state(loan, Step.CLAIM)
    if on < loan.borrowed_on:
        raise refusals.ReturnedBeforeBorrowed(borrowed_on=loan.borrowed_on)
    if loan.claimed_returned_on:
        return loan
    return replace(loan, state=state, claimed_returned_on=on, version=loan.version + 1)


def reject_claim(loan: Loan) -> Loan:
    """Remove the claim from a loan whose copy was looked for and not found.

    Its fine is counted as if no claim had been made. Raises LoanLost, LoanNotOpen or NoClaim.
    """
    state = next_state(loan, Step.REJECT_CLAIM)
    if not loan.claimed_returned_on:
        raise refusals.NoClaim
    return replace(loan, state=state, claimed_returned_on=None, version=loan.version + 1)


def lose(loan: Loan, on: date, final_fine: Statement) -> Loan:
    """Declare the loan lost on `on`, with its fine up to that day.

    Removes a claim that it was returned. Raises LoanLost or LoanNotOpen.
    """
    return replace(
        loan,
        state=next_state(loan, Step.LOSE),
        claimed_returned_on=None,
        lost_on=on,
        final_fine=final_fine,
        version=loan.version + 1,
    )


def next_state(loan: Loan, step: Step) -> LoanState:
    """Return the state that a step leads to. Raises LoanLost or LoanNotOpen."""
    if (state := LIFE.get((loan.state, step))) is not None:
        return state
    raise refusals.LoanLost if loan.state is LoanState.LOST else refusals.LoanNotOpen
