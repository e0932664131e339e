"""Previews of changed policy rows: what loans of the last days would cost, and when be due."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date

from services.circulation.rules.due_date import fine
from services.circulation.rules.effect import World
from services.circulation.rules.loan import Loan
from services.circulation.rules.loan_period import Due, first_due
from services.circulation.rules.policy import Policy, PolicyMatrix


@dataclass(frozen=True)
class PolicyEffect:
    """The effect that changed rows would have had on loans. Money is in cents."""

    loans: int
    """Loans that were examined."""
    concerned: int
    """Loans among these that would have been made under a changed or another row."""
    due_earlier: int
    due_later: int
    not_lent: int
    """Loans of items that would be for use in the library only."""
    fines_changed: int
    fines_before_cents: int
    """Sum of the fines of the concerned loans, as of the day of the preview."""
    fines_after_cents: int


def policy_effect(
    loans: Iterable[Loan], before: PolicyMatrix, after: PolicyMatrix, world: World, as_of: date
) -> PolicyEffect:
    """Return the effect of rows `after` in place of `before` on loans, as if made under them.

    A renewed loan keeps its due date, since the days of its renewals are not stored. A loan by
    hours has whole days, since its time is not stored. What other charges of the patron, or the
    price of the copy, take off a fine does not count.
    """
    judged = [_judged(loan, before, after, world, as_of) for loan in loans]
    changed = [pair for pair in judged if pair is not None]
    return PolicyEffect(
        loans=len(judged),
        concerned=len(changed),
        due_earlier=sum(new.due_on < old.due_on for old, new in changed),
        due_later=sum(new.due_on > old.due_on for old, new in changed),
        not_lent=sum(old.lendable and not new.lendable for old, new in changed),
        fines_changed=sum(old.cents != new.cents for old, new in changed),
        fines_before_cents=sum(old.cents for old, _ in changed),
        fines_after_cents=sum(new.cents for _, new in changed),
    )


@dataclass(frozen=True, slots=True)
class _Outcome:
    due_on: date
    lendable: bool
    cents: int


def _judged(
    loan: Loan, before: PolicyMatrix, after: PolicyMatrix, world: World, as_of: date
) -> tuple[_Outcome, _Outcome] | None:
    """Return the outcomes of a loan under both rows; None if its row stays the same."""
    scope = (loan.patron_category, loan.copy_category, loan.branch_kind)
    rows: Sequence[Policy] = [matrix.pick(*scope) for matrix in (before, after)]
    if rows[0] == rows[1] or loan.branch_code not in world.calendars:
        return None
    old, new = (_outcome(loan, row, world, as_of) for row in rows)
    return old, new


def _outcome(loan: Loan, row: Policy, world: World, as_of: date) -> _Outcome:
    calendar = world.calendars[loan.branch_code].now
    due = loan.due if loan.renewals else first_due(row, calendar, Due(loan.borrowed_on))
    until = loan.lost_on or loan.returned_on or as_of
    lent = replace(loan, policy=row, due_on=due.on, due_time=due.time)
    cents = fine(lent, calendar, world.suspensions, until).amount_cents
    return _Outcome(due.on, row.lendable, cents)
