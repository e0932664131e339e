"""A copy: one piece of a title, where it is, and what can happen to it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from services.circulation.domain.refusals import (
    CopyDamaged,
    CopyKept,
    CopyLost,
    CopyNotOnLoan,
    CopyOnLoan,
    CopyWithdrawn,
    LentBeforeReturn,
    NotInThisState,
    Refusal,
)


class CopyState(StrEnum):
    """Where a copy is in its life."""

    AVAILABLE = "available"
    ON_LOAN = "on-loan"
    ON_SHELF = "on-shelf"
    """Kept at the pick-up branch for the patron of a hold."""
    IN_TRANSIT = "in-transit"
    LOST = "lost"
    DAMAGED = "damaged"
    WITHDRAWN = "withdrawn"


class CopyStep(StrEnum):
    """What can happen to a copy."""

    LEND = "lend"
    TAKE_BACK = "take back"
    KEEP = "keep for a hold"
    SEND = "send to another branch"
    HAND_ON = "give to another hold"
    ARRIVE = "arrive"
    LOSE = "lose"
    MISS = "miss"
    DAMAGE = "find damaged"
    WITHDRAW = "withdraw"
    RECOVER = "find again"


COPY_LIFE: Mapping[tuple[CopyState, CopyStep], CopyState] = {
    (CopyState.AVAILABLE, CopyStep.LEND): CopyState.ON_LOAN,
    (CopyState.ON_SHELF, CopyStep.LEND): CopyState.ON_LOAN,
    (CopyState.IN_TRANSIT, CopyStep.LEND): CopyState.ON_LOAN,
    (CopyState.ON_LOAN, CopyStep.TAKE_BACK): CopyState.AVAILABLE,
    (CopyState.LOST, CopyStep.TAKE_BACK): CopyState.AVAILABLE,
    (CopyState.AVAILABLE, CopyStep.KEEP): CopyState.ON_SHELF,
    (CopyState.AVAILABLE, CopyStep.SEND): CopyState.IN_TRANSIT,
    (CopyState.ON_SHELF, CopyStep.HAND_ON): CopyState.AVAILABLE,
    (CopyState.IN_TRANSIT, CopyStep.HAND_ON): CopyState.IN_TRANSIT,
    (CopyState.IN_TRANSIT, CopyStep.ARRIVE): CopyState.AVAILABLE,
    (CopyState.ON_LOAN, CopyStep.LOSE): CopyState.LOST,
    **{
        (state, step): gone
        for state in (CopyState.AVAILABLE, CopyState.ON_SHELF, CopyState.IN_TRANSIT)
        for step, gone in (
            (CopyStep.MISS, CopyState.LOST),
            (CopyStep.DAMAGE, CopyState.DAMAGED),
        )
    },
    **{
        (state, CopyStep.WITHDRAW): CopyState.WITHDRAWN
        for state in CopyState
        if state not in (CopyState.ON_LOAN, CopyState.WITHDRAWN)
    },
    **{
        (state, CopyStep.RECOVER): CopyState.AVAILABLE
        for state in (CopyState.LOST, CopyState.DAMAGED, CopyState.WITHDRAWN)
    },
}
"""A copy's life: the state that each step leads to. A step that is not here is refused.

AVAILABLE is also what a copy is for a moment between two steps of one transaction: what comes back
or arrives is then kept for a hold, sent on or sent home.
"""


@dataclass(frozen=True, slots=True)
class Copy:
    """One piece of a title, with a barcode, and the branch that owns it."""

    id: str
    title_id: str
    barcode: str
    category: str
    """As `adult`, `young-adult`, `children`; a library may have others."""
    branch_code: str
    price_cents: int | None = None
    """What a new one costs; None: not known."""
    state: CopyState = CopyState.AVAILABLE
    returned_on: date | None = None
    """When it last came back; None: it was never lent."""
    version: int = 1
    at_branch: str = ""
    """Where it is; on loan or in transit, where it left from. Unless told, where it belongs."""
    bound_for: str | None = None
    """The branch that it travels to; None if it does not travel."""
    hold_id: str | None = None
    """The hold that it is kept, or travels, for."""

    def __post_init__(self) -> None:
        if not self.at_branch:
            object.__setattr__(self, "at_branch", self.branch_code)


def lend(copy: Copy, on: date, *, branch_code: str, hold_id: str | None = None) -> Copy:
    """The copy as it leaves the library from a branch; `hold_id` is its patron's hold, if any.

    What should travel but lies on the desk has arrived, whoever forgot to say so.
    Raises CopyOnLoan, CopyKept, LentBeforeReturn or another refusal that names its state.
    """
    state = _after(copy, CopyStep.LEND)
    if copy.hold_id not in (None, hold_id):
        raise CopyKept
    if copy.returned_on is not None and on < copy.returned_on:
        raise LentBeforeReturn(returned_on=copy.returned_on)
    return _moved(copy, state, at_branch=branch_code)


def take_back(copy: Copy, on: date, *, branch_code: str) -> Copy:
    """The copy as it is back at a branch since `on`. Raises CopyNotOnLoan if it never left."""
    if (state := COPY_LIFE.get((copy.state, CopyStep.TAKE_BACK))) is None:
        raise CopyNotOnLoan
    return _moved(copy, state, at_branch=branch_code, returned_on=on)


def keep(copy: Copy, hold_id: str) -> Copy:
    """The copy on the hold shelf of the branch where it is."""
    return _moved(copy, _after(copy, CopyStep.KEEP), hold_id=hold_id)


def send(copy: Copy, bound_for: str, hold_id: str | None = None) -> Copy:
    """The copy on its way to another branch, for a hold or because it belongs there."""
    return _moved(copy, _after(copy, CopyStep.SEND), bound_for=bound_for, hold_id=hold_id)


def hand_on(copy: Copy, hold_id: str | None) -> Copy:
    """The copy without the hold that it was for. On its way it goes on, now for `hold_id`."""
    state = _after(copy, CopyStep.HAND_ON)
    if state is CopyState.AVAILABLE:
        return _moved(copy, state)
    return _moved(copy, state, bound_for=copy.bound_for, hold_id=hold_id)


def arrive(copy: Copy, branch_code: str) -> Copy:
    """The copy as it comes out of a box at a branch, whether or not it was bound for it."""
    return _moved(copy, _after(copy, CopyStep.ARRIVE), at_branch=branch_code)


def lose(copy: Copy) -> Copy:
    """The copy, lost by the patron who has it."""
    return _moved(copy, _after(copy, CopyStep.LOSE))


def miss(copy: Copy) -> Copy:
    """The copy, recorded as lost because it is not where it should be."""
    return _moved(copy, _after(copy, CopyStep.MISS))


def damage(copy: Copy) -> Copy:
    """The copy, taken out of lending until it is repaired."""
    return _moved(copy, _after(copy, CopyStep.DAMAGE))


def withdraw(copy: Copy) -> Copy:
    """The copy, out of the library for good."""
    return _moved(copy, _after(copy, CopyStep.WITHDRAW))


def recover(copy: Copy, branch_code: str) -> Copy:
    """The copy, found again or repaired, at a branch."""
    return _moved(copy, _after(copy, CopyStep.RECOVER), at_branch=branch_code)


def describe(copy: Copy, *, category: str, branch_code: str, price_cents: int | None) -> Copy:
    """The copy as another system describes it; the same value if nothing differs.

    Where it is does not change with where it belongs: it goes there when it next comes back.
    """
    described = replace(copy, category=category, branch_code=branch_code, price_cents=price_cents)
    return copy if described == copy else replace(described, version=copy.version + 1)


def _moved(
    copy: Copy,
    state: CopyState,
    *,
    at_branch: str | None = None,
    returned_on: date | None = None,
    bound_for: str | None = None,
    hold_id: str | None = None,
) -> Copy:
    """The copy in its next state. What it was kept or bound for before has ended with the step."""
    return replace(
        copy,
        state=state,
        at_branch=at_branch or copy.at_branch,
        returned_on=returned_on or copy.returned_on,
        bound_for=bound_for,
        hold_id=hold_id,
        version=copy.version + 1,
    )


_REFUSED: Mapping[CopyState, type[Refusal]] = {
    CopyState.ON_LOAN: CopyOnLoan,
    CopyState.LOST: CopyLost,
    CopyState.DAMAGED: CopyDamaged,
    CopyState.WITHDRAWN: CopyWithdrawn,
}


def _after(copy: Copy, step: CopyStep) -> CopyState:
    if (state := COPY_LIFE.get((copy.state, step))) is not None:
        return state
    if step is CopyStep.LEND:
        raise _REFUSED[copy.state]
    raise NotInThisState(state=copy.state.value)
