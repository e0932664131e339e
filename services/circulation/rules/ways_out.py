"""The cheapest ways out of a refusal, found by trying the real rules on changed facts.

A candidate is a change of the facts that the refused command read. The command's own rule is run
on the changed facts; a candidate that it refuses is no way out.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import accumulate

from services.circulation import refusals
from services.circulation.rules.branch_calendar import BranchCalendar
from services.circulation.rules.due_date import current, fine
from services.circulation.rules.loan import Loan
from services.circulation.rules.suspension import FineSuspension

MOST_RETURNED = 20
"""Most items that a way out returns, of each kind."""
MOST_DAYS = 366
"""Most days that a way out waits."""
MOST_WAYS = 3
"""Most ways out of one refusal."""


@dataclass(frozen=True, slots=True)
class Returnable:
    """A loan that a patron may return, with its fine if it came back today."""

    loan_id: str
    fine_cents: int
    due_on: date
    is_like: bool = False
    """True if a limit that counts only some items counts it with the refused one."""


@dataclass(frozen=True, slots=True)
class OpenLoans:
    """A patron's open loans, with what decides their fines."""

    loans: Sequence[Loan]
    calendars: Mapping[str, BranchCalendar]
    """Calendars of the lending branches, by code."""
    suspensions: Sequence[FineSuspension]

    def returnable(self, on: date, is_like: Callable[[Loan], bool]) -> list[Returnable]:
        """Return the loans with their fines on `on`; `is_like` marks those."""
        found = []
        for stored in self.loans:
            present = current(stored, self.calendars[stored.branch_code])
            loan = present.loan
            cents = fine(loan, present.calendar, self.suspensions, on).amount_cents
            found.append(Returnable(loan.id, cents, loan.due_on, is_like(loan)))
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Steps that a patron may take, as a change of facts."""

    cents: int = 0
    """Paid after everything else."""
    returned: tuple[Returnable, ...] = ()
    days: int = 0
    """Days to wait."""
    hold_ids: tuple[str, ...] = ()
    """Holds to cancel."""
    barcode: str | None = None
    """Barcode of another copy."""
    branch: str | None = None
    """Code of another pick-up library."""

    @property
    def owed_cents(self) -> int:
        """Change of what the patron owes: the fines of the returned items, less the payment."""
        return sum(one.fine_cents for one in self.returned) - self.cents

    @property
    def cost(self) -> tuple[int, ...]:
        """Costs that are not comparable with each other, the dearest kind first."""
        other = (self.barcode is not None) + (self.branch is not None)
        return (self.cents, len(self.returned), self.days, len(self.hold_ids), other)

    def dominates(self, other: "Candidate") -> bool:
        """Return whether this costs no more of anything."""
        return all(mine <= theirs for mine, theirs in zip(self.cost, other.cost, strict=True))

    def way_out(self, on: date, *, any_item: bool) -> refusals.WayOut:
        """Return the steps in the order in which they are taken; `on` is the present day."""
        steps: list[refusals.Step] = []
        if self.barcode:
            steps.append(refusals.ChooseCopy(self.barcode))
        if self.branch:
            steps.append(refusals.ChooseBranch(self.branch))
        if self.hold_ids:
            steps.append(refusals.CancelHolds(len(self.hold_ids), self.hold_ids))
        if self.returned:
            loan_ids = tuple(one.loan_id for one in self.returned)
            steps.append(refusals.Return(len(loan_ids), loan_ids, any_item))
        if self.cents:
            steps.append(refusals.Pay(self.cents))
        if self.days:
            steps.append(refusals.Wait(on + timedelta(days=self.days)))
        return refusals.WayOut(tuple(steps))


def cheapest(
    candidates: Iterable[Candidate], attempt: Callable[[Candidate], object]
) -> list[Candidate]:
    """Return the candidates that `attempt` does not refuse, less those that cost more than another.

    Sorted by money, then items, then days. `attempt` runs the rule of the refused command on the
    facts as a candidate changes them, and raises its refusals.
    """
    found: list[Candidate] = []
    for candidate in sorted(candidates, key=lambda one: one.cost):
        if any(one.dominates(candidate) for one in found):
            continue
        try:
            attempt(candidate)
        except refusals.Refusal:
            continue
        found.append(candidate)
    return found


def ways_out(
    candidates: Iterable[Candidate],
    attempt: Callable[[Candidate], object],
    on: date,
    *,
    any_item: bool = True,
    renews_card: bool = False,
) -> tuple[refusals.WayOut, ...]:
    """Return the ways out as `cheapest` finds them; if there is none, to ask the staff.

    `any_item`: none of the patron's items has a fine, so it does not matter which are returned.
    `renews_card`: the card has expired, and `attempt` tries what is possible once it is renewed.
    """
    found = cheapest(candidates, attempt)[:MOST_WAYS]
    ways = tuple(one.way_out(on, any_item=any_item) for one in found)
    if renews_card:
        ways = tuple(refusals.WayOut((refusals.RenewCard(), *way.steps)) for way in ways)
    return ways or refusals.ASK_STAFF


def returns(loans: Sequence[Returnable]) -> Iterator[tuple[Returnable, ...]]:
    """Yield the cheapest sets of items to return: for each number of like items and of others."""
    in_order = sorted(loans, key=lambda one: (one.fine_cents, one.due_on, one.loan_id))
    like, others = (
        list(accumulate(((one,) for one in kind[:MOST_RETURNED]), initial=()))
        for kind in (
            [one for one in in_order if one.is_like],
            [one for one in in_order if not one.is_like],
        )
    )
    for some in like:
        for more in others:
            yield (*some, *more)


def payments(owed_cents: int, block_over_cents: int) -> Iterator[int]:
    """Yield nothing to pay, and the least after which a debt of `owed_cents` does not block."""
    yield 0
    if 0 < block_over_cents <= owed_cents:
        yield owed_cents - block_over_cents + 1
