"""The effect of a change of calendars or suspensions on loans and fines, before it is made.

The functions that later carry out the change compute it, so preview and result can't differ.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from services.circulation.rules.branch_calendar import BranchCalendar
from services.circulation.rules.charge import Charge, worked_out_again
from services.circulation.rules.due_date import current, fine
from services.circulation.rules.hold import Hold
from services.circulation.rules.hold_queue import shelf_end
from services.circulation.rules.loan import Loan
from services.circulation.rules.suspension import FineSuspension


@dataclass(frozen=True)
class World:
    """Calendars and suspensions: what due dates and fines depend on, apart from the loans."""

    calendars: Mapping[str, BranchCalendar]
    """Calendars by branch code."""
    suspensions: Sequence[FineSuspension]

    def with_calendars(self, calendars: Iterable[BranchCalendar]) -> "World":
        """Return a world with these calendars in place of those of the same branches."""
        return replace(self, calendars={**self.calendars, **{c.id: c for c in calendars}})

    def with_suspension(self, suspension: FineSuspension) -> "World":
        """Return a world with this suspension, in place of its earlier version if there is one."""
        others = (s for s in self.suspensions if s.id != suspension.id)
        return replace(self, suspensions=(*others, suspension))


@dataclass(frozen=True, slots=True)
class Alike:
    """Loans that get the same due date and fine, except where a reopening staggers due dates.

    `loan` is one of them; `ids` are the ids of all, on which staggered dates depend.
    """

    loan: Loan
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, order=True)
class DueDateMoves:
    """Number of loans whose due date moves from one day to another."""

    from_: date
    to: date
    loans: int


@dataclass(frozen=True, slots=True)
class Effect:
    """Effect of a change. Money is in cents."""

    as_of: date
    """Day for which accruing fines are worked out."""
    open_loans: int
    """Open loans of the branches that the change concerns."""
    loans_moved: int
    due_date_moves: tuple[DueDateMoves, ...]
    """Moves from the due date before the change to the one after it, earliest first."""
    shelf_dates_moved: int
    """Ready holds whose last day on the shelf moves."""
    accruing_before_cents: int
    accruing_after_cents: int
    fines_lowered: int
    """Assessed fines that the change lowers."""
    credited_cents: int
    """Sum by which assessed fines are lowered.
    The part that was paid becomes due to the patrons."""

    @property
    def not_charged_cents(self) -> int:
        """Cents that will not be charged or are credited; negative if more accrues."""
        return self.accruing_before_cents - self.accruing_after_cents + self.credited_cents


@dataclass(frozen=True)
class Concerned:
    """Loans, fines and holds that a change may affect."""

    loans: Sequence[Alike]
    """All open loans."""
    fines: Sequence[Charge]
    """Assessed fines."""
    holds: Sequence[Hold] = ()
    """Holds that are ready to be collected."""


def effect(concerned: Concerned, before: World, after: World, as_of: date) -> Effect:
    """Return the effect of replacing the world `before` with `after`."""
    open_loans = accruing_before = accruing_after = 0
    moves: Counter[tuple[date, date]] = Counter()
    for loan, count in _told_apart(concerned.loans, before, after):
        was = current(loan, before.calendars[loan.branch_code]).loan
        is_ = current(loan, after.calendars[loan.branch_code]).loan
        open_loans += count
        if was.due_on != is_.due_on:
            moves[was.due_on, is_.due_on] += count
        accruing_before += count * _accrued(was, before, as_of)
        accruing_after += count * _accrued(is_, after, as_of)
    lowered = [credit for charge in concerned.fines if (credit := _credit(charge, after))]
    return Effect(
        as_of=as_of,
        open_loans=open_loans,
        loans_moved=moves.total(),
        due_date_moves=tuple(sorted(DueDateMoves(*days, n) for days, n in moves.items())),
        shelf_dates_moved=sum(
            shelf_end(hold, before.calendars[hold.pickup_branch].now, as_of)
            != shelf_end(hold, after.calendars[hold.pickup_branch].now, as_of)
            for hold in concerned.holds
        ),
        accruing_before_cents=accruing_before,
        accruing_after_cents=accruing_after,
        fines_lowered=len(lowered),
        credited_cents=sum(lowered),
    )


def _told_apart(loans: Iterable[Alike], before: World, after: World) -> Iterator[tuple[Loan, int]]:
    """Yield loans with their number: one by one where due dates are staggered, else by group."""
    staggered = {
        code
        for world in (before, after)
        for code, branch in world.calendars.items()
        if branch.staggers
    }
    for alike in loans:
        if alike.loan.branch_code in staggered:
            for loan_id in alike.ids:
                yield replace(alike.loan, id=loan_id), 1
        else:
            yield alike.loan, len(alike.ids)


def _accrued(loan: Loan, world: World, as_of: date) -> int:
    calendar = world.calendars[loan.branch_code].now
    return fine(loan, calendar, world.suspensions, as_of).amount_cents


def _credit(charge: Charge, world: World) -> int:
    """Return the cents by which an assessed fine is lowered."""
    if charge.basis is None or charge.statement is None:
        return 0
    calendar = world.calendars[charge.basis.branch_code].now
    again = worked_out_again(charge, calendar, world.suspensions)
    return charge.statement.amount_cents - again.amount_cents if again else 0
