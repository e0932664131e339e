"""What a change of calendars or suspensions does to loans and fines, before it is made.

It is worked out by the functions that later carry the change out, so the two can't differ.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from services.circulation.domain.branch_calendar import BranchCalendar
from services.circulation.domain.charge import Charge, worked_out_again
from services.circulation.domain.hold import Hold, shelf_end
from services.circulation.domain.loan import Loan, catch_up, fine
from services.circulation.domain.suspension import FineSuspension


@dataclass(frozen=True)
class World:
    """What due dates and fines depend on, apart from the loans."""

    calendars: Mapping[str, BranchCalendar]
    """By branch code."""
    suspensions: Sequence[FineSuspension]

    def with_calendars(self, calendars: Iterable[BranchCalendar]) -> "World":
        """With these in the place of those of the same branches."""
        return replace(self, calendars={**self.calendars, **{c.id: c for c in calendars}})

    def with_suspension(self, suspension: FineSuspension) -> "World":
        """With this one, in its place if it is there."""
        others = (s for s in self.suspensions if s.id != suspension.id)
        return replace(self, suspensions=(*others, suspension))


@dataclass(frozen=True, slots=True)
class Alike:
    """Loans that due dates and fines treat alike, but for the lot that a staggered reopening draws.

    They are told by one of them, and the ids of all.
    """

    loan: Loan
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, order=True)
class DueDateMoves:
    """How many loans' due dates move from one day to another."""

    from_: date
    to: date
    loans: int


@dataclass(frozen=True, slots=True)
class Effect:
    """What a change does. Money in cents."""

    as_of: date
    """The day for which accruing fines are worked out."""
    open_loans: int
    """Of the branches that it concerns."""
    loans_moved: int
    due_date_moves: tuple[DueDateMoves, ...]
    """From the due date before the change to that after it, earliest first."""
    shelf_dates_moved: int
    """Holds that are kept for their patrons until another day."""
    accruing_before_cents: int
    accruing_after_cents: int
    fines_lowered: int
    """Assessed fines of which less is owed."""
    credited_cents: int
    """By how much, in all; what was paid of it becomes due to the patrons."""

    @property
    def not_charged_cents(self) -> int:
        """What will not be charged, or is given back: less than 0 where more accrues."""
        return self.accruing_before_cents - self.accruing_after_cents + self.credited_cents


@dataclass(frozen=True)
class Concerned:
    """What a change may do something to."""

    loans: Sequence[Alike]
    """All open ones."""
    fines: Sequence[Charge]
    """Assessed."""
    holds: Sequence[Hold] = ()
    """Ready to be collected."""


def effect(concerned: Concerned, before: World, after: World, as_of: date) -> Effect:
    """What the step from one world to another does."""
    open_loans = accruing_before = accruing_after = 0
    moves: Counter[tuple[date, date]] = Counter()
    for loan, count in _told_apart(concerned.loans, before, after):
        was = _caught_up(loan, before)
        is_ = _caught_up(loan, after)
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
            shelf_end(hold, before.calendars[hold.pickup_branch].now)
            != shelf_end(hold, after.calendars[hold.pickup_branch].now)
            for hold in concerned.holds
        ),
        accruing_before_cents=accruing_before,
        accruing_after_cents=accruing_after,
        fines_lowered=len(lowered),
        credited_cents=sum(lowered),
    )


def _told_apart(loans: Iterable[Alike], before: World, after: World) -> Iterator[tuple[Loan, int]]:
    """Each loan where dates are staggered, for there each has its lot; else one for all alike."""
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


def _caught_up(loan: Loan, world: World) -> Loan:
    moved = catch_up(loan, world.calendars[loan.branch_code])
    return moved[-1] if moved else loan


def _accrued(loan: Loan, world: World, as_of: date) -> int:
    calendar = world.calendars[loan.branch_code].now
    return fine(loan, calendar, world.suspensions, as_of).amount_cents


def _credit(charge: Charge, world: World) -> int:
    """By how many cents an assessed fine is lowered."""
    if charge.basis is None or charge.statement is None:
        return 0
    calendar = world.calendars[charge.basis.branch_code].now
    again = worked_out_again(charge, calendar, world.suspensions)
    return charge.statement.amount_cents - again.amount_cents if again else 0
