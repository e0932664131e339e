"""Tills: cash taken and given at a desk, from the opening float to the count at closing."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum

from services.circulation import refusals


class TillState(StrEnum):
    """State of a till."""

    OPEN = "open"
    CLOSED = "closed"
    OUTSIDE = "outside"
    """Not a till: the cash of a library's day that was taken or given while none was open."""


@dataclass(frozen=True, slots=True)
class Till:
    """The cash of one desk of a library, from its opening to its closing."""

    id: str
    branch_code: str
    name: str
    """Name of the till in its library; empty: the only one."""
    opened_on: date
    opened_at: datetime
    """Business time, UTC."""
    opened_by: str
    float_cents: int
    """Cash that was in it at the opening."""
    state: TillState = TillState.OPEN
    taken: Mapping[str, int] = field(default_factory=dict)
    """Cents taken, without cancelled payments, by kind of charge."""
    given: Mapping[str, int] = field(default_factory=dict)
    """Cents given back, by kind of charge."""
    counted_cents: int | None = None
    reason: str = ""
    """Why the count differs from what was expected."""
    closed_at: datetime | None = None
    closed_by: str = ""
    version: int = 1

    @property
    def expected_cents(self) -> int:
        """The cash that should be in the till."""
        return self.float_cents + sum(self.taken.values()) - sum(self.given.values())

    @property
    def difference_cents(self) -> int | None:
        """Cents counted beyond what was expected; negative: too few; None: not counted yet."""
        return None if self.counted_cents is None else self.counted_cents - self.expected_cents


def chosen(tills: Sequence[Till], name: str) -> Till | None:
    """Return the till of this name among the open ones; if there is none, the only one."""
    only = tills[0] if len(tills) == 1 else None
    return next((till for till in tills if till.name == name), only)


def outside(branch_code: str, on: date, at: datetime) -> Till:
    """Return what holds the cash of a library's day that is in no till, before any."""
    till_id = f"outside.{branch_code}.{on.isoformat()}"
    return Till(till_id, branch_code, "", on, at, "", 0, TillState.OUTSIDE, version=0)


def is_over(till: Till, on: date) -> bool:
    """Return whether a till takes no more cash: it is closed, or cash outside of another day."""
    return till.state is TillState.CLOSED or (
        till.state is TillState.OUTSIDE and till.opened_on != on
    )


def with_cash(till: Till, moved: Iterable[tuple[str, int]], *, given: bool = False) -> Till:
    """Return the till after cash was taken, or given back, as kinds of charges with their cents.

    Cents of a payment that is cancelled are taken with a minus.
    """
    sums = dict(till.given if given else till.taken)
    for kind, cents in moved:
        sums[kind] = sums.get(kind, 0) + cents
    changed = replace(till, given=sums) if given else replace(till, taken=sums)
    return replace(changed, version=till.version + 1)


def close(
    till: Till, *, counted_cents: int, shown_cents: int, reason: str, by: str, at: datetime
) -> Till:
    """Return the till as closed by `by`, of the staff, who counted its cash.

    `shown_cents` is what they were shown as expected. Raises TillClosedAlready, AmountChanged if
    cash has moved since, or DifferenceUnexplained for a difference without a reason.
    """
    if till.state is not TillState.OPEN:
        raise refusals.TillClosedAlready
    if shown_cents != till.expected_cents:
        raise refusals.AmountChanged(amount=f"${till.expected_cents / 100:,.2f}")
    if counted_cents != till.expected_cents and not reason:
        raise refusals.DifferenceUnexplained
    return replace(
        till,
        state=TillState.CLOSED,
        counted_cents=counted_cents,
        reason=reason,
        closed_at=at,
        closed_by=by,
        version=till.version + 1,
    )
