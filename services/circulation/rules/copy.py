"""A copy: one piece of a title, the branch where it is, and the steps that it can take."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import Any

from services.circulation import refusals
from services.circulation.rules.record import CopyRecord


class CopyState(StrEnum):
    """State of a copy."""

    AVAILABLE = "available"
    TO_FETCH = "to-fetch"
    """Set aside for a hold on a shelf of the branch where it is; staff still have to fetch it."""
    ON_LOAN = "on-loan"
    ON_SHELF = "on-shelf"
    """Kept at the pick-up branch for the patron of a hold."""
    IN_TRANSIT = "in-transit"
    LOST = "lost"
    DAMAGED = "damaged"
    WITHDRAWN = "withdrawn"
    ON_ORDER = "on-order"
    """Ordered from a supplier; patrons can reserve its title already."""
    IN_PROCESS = "in-process"
    """Catalogued, labelled or repaired by the staff, before it is lent."""


class CopyStep(StrEnum):
    """Step that a copy can take."""

    LEND = "lend"
    TAKE_BACK = "take back"
    SET_ASIDE = "set aside on its shelf for a hold"
    KEEP = "keep for a hold"
    SEND = "send to another branch"
    HAND_ON = "give to another hold"
    ARRIVE = "arrive"
    LOSE = "lose"
    MISS = "miss"
    DAMAGE = "find damaged"
    WITHDRAW = "withdraw"
    RECOVER = "find again"
    PROCESS = "process"


COPY_LIFE: Mapping[tuple[CopyState, CopyStep], CopyState] = {
    (CopyState.AVAILABLE, CopyStep.LEND): CopyState.ON_LOAN,
    (CopyState.TO_FETCH, CopyStep.LEND): CopyState.ON_LOAN,
    (CopyState.ON_SHELF, CopyStep.LEND): CopyState.ON_LOAN,
    (CopyState.IN_TRANSIT, CopyStep.LEND): CopyState.ON_LOAN,
    (CopyState.ON_LOAN, CopyStep.TAKE_BACK): CopyState.AVAILABLE,
    (CopyState.LOST, CopyStep.TAKE_BACK): CopyState.AVAILABLE,
    (CopyState.WITHDRAWN, CopyStep.TAKE_BACK): CopyState.AVAILABLE,
    (CopyState.AVAILABLE, CopyStep.SET_ASIDE): CopyState.TO_FETCH,
    (CopyState.AVAILABLE, CopyStep.KEEP): CopyState.ON_SHELF,
    (CopyState.AVAILABLE, CopyStep.SEND): CopyState.IN_TRANSIT,
    (CopyState.TO_FETCH, CopyStep.HAND_ON): CopyState.AVAILABLE,
    (CopyState.ON_SHELF, CopyStep.HAND_ON): CopyState.AVAILABLE,
    (CopyState.IN_TRANSIT, CopyStep.HAND_ON): CopyState.IN_TRANSIT,
    (CopyState.TO_FETCH, CopyStep.ARRIVE): CopyState.AVAILABLE,
    (CopyState.IN_TRANSIT, CopyStep.ARRIVE): CopyState.AVAILABLE,
    (CopyState.ON_ORDER, CopyStep.ARRIVE): CopyState.AVAILABLE,
    (CopyState.IN_PROCESS, CopyStep.ARRIVE): CopyState.AVAILABLE,
    (CopyState.ON_ORDER, CopyStep.PROCESS): CopyState.IN_PROCESS,
    (CopyState.AVAILABLE, CopyStep.PROCESS): CopyState.IN_PROCESS,
    (CopyState.DAMAGED, CopyStep.PROCESS): CopyState.IN_PROCESS,
    (CopyState.ON_LOAN, CopyStep.LOSE): CopyState.LOST,
    **{
        (state, step): gone
        for state in (
            CopyState.AVAILABLE,
            CopyState.TO_FETCH,
            CopyState.ON_SHELF,
            CopyState.IN_TRANSIT,
        )
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
"""State that each step leads to, by present state and step. Any other step is refused.
A copy is also AVAILABLE for a moment between two steps of one transaction: one that comes back
or arrives can then be kept for a hold, sent on or sent home."""

LOST_STATES = (CopyState.LOST, CopyState.WITHDRAWN)
"""States in which a copy may have a loan that ended with its loss."""

OUT_STATES = (CopyState.LOST, CopyState.DAMAGED, CopyState.WITHDRAWN)
"""States in which a copy is not lent, and may never be lent again."""

AWAITED_STATES = (
    CopyState.TO_FETCH,
    CopyState.IN_TRANSIT,
    CopyState.ON_ORDER,
    CopyState.IN_PROCESS,
)
"""States in which the next scan of a copy, at any branch, tells where it is."""


MOST_PAST = 20
"""Number of past steps that a copy keeps."""


@dataclass(frozen=True, slots=True)
class PastStep:
    """A step of a copy that had nothing to do with a reader."""

    on: date
    what: str
    """`moved`, `received`, `recovered`, `owner`, or the fault for which it was taken out."""
    branch: str | None
    """Branch where it then was; for `owner` the branch that owns it since; None: not known."""
    came_from: str | None = None
    """Branch that it left, or that owned it before."""


@dataclass(frozen=True, slots=True)
class Copy:
    """One piece of a title, with a barcode and the branch that owns it."""

    id: str
    title_id: str
    barcode: str
    category: str
    """Category such as `adult`, `young-adult` or `children`; a library may have others."""
    branch_code: str
    price_cents: int | None = None
    """Price of a new one in cents; None: not known."""
    state: CopyState = CopyState.AVAILABLE
    returned_on: date | None = None
    """Day on which it last came back; None: it never came back from a loan."""
    version: int = 1
    at_branch: str = ""
    """Branch where it is or, on loan or in transit, the branch that it left.
    The default is the branch that owns it."""
    bound_for: str | None = None
    """Branch that it travels to; None if it is not in transit."""
    hold_id: str | None = None
    """Id of the hold that it is set aside, kept or in transit for."""
    record: CopyRecord | None = None
    volume: str | None = None
    """Label of the volume, issue, part or disc set, such as `v. 2`; None: the title has none."""
    work_id: str | None = None
    """Work of its title, repeated here so that its queue is found without the title."""
    past: tuple[PastStep, ...] = ()
    """Its last steps beside loans, which are deleted once they are over."""
    shelved_for: str | None = None
    """Id of the hold on whose shelf it still lies, although that hold has ended or has moved; None:
    it lies on no such shelf. Its next scan ends this."""
    sent_on: date | None = None
    """Day on which it left, in transit, with the other copies of its box; None: it did not."""

    @property
    def queue_id(self) -> str:
        """Id of the queue of holds that it may serve: that of its work, else that of its title."""
        return self.work_id or self.title_id

    def __post_init__(self) -> None:
        if not self.at_branch:
            object.__setattr__(self, "at_branch", self.branch_code)


def lend(copy: Copy, on: date, *, branch_code: str, hold_id: str | None = None) -> Copy:
    """Lend the copy at a branch; `hold_id` is its patron's hold, if any.

    A copy recorded as in transit or to be fetched can be lent: if it lies on the desk, it has
    arrived. Raises CopyOnLoan, CopyKept, LentBeforeReturn or another refusal that names its state.
    """
    state = _after(copy, CopyStep.LEND)
    if copy.hold_id not in (None, hold_id):
        raise refusals.CopyKept
    if copy.returned_on is not None and on < copy.returned_on:
        raise refusals.LentBeforeReturn(returned_on=copy.returned_on)
    return _moved(copy, state, at_branch=branch_code)


def take_back(copy: Copy, on: date, *, branch_code: str) -> Copy:
    """Record that the copy is back at a branch since `on`.

    A lost copy may have been withdrawn before it is found. Raises CopyNotOnLoan if it is neither on
    loan nor lost nor withdrawn.
    """
    if (state := COPY_LIFE.get((copy.state, CopyStep.TAKE_BACK))) is None:
        raise refusals.CopyNotOnLoan
    return _moved(copy, state, at_branch=branch_code, returned_on=on)


def undo_lend(copy: Copy, *, branch_code: str) -> Copy:
    """Make the copy free at the branch that lent it by mistake. It has not come back from a loan.

    Raises CopyNotOnLoan.
    """
    if copy.state is not CopyState.ON_LOAN:
        raise refusals.CopyNotOnLoan
    return _moved(copy, CopyState.AVAILABLE, at_branch=branch_code)


def undo_take_back(copy: Copy, *, lent_on: date, branch_code: str) -> Copy:
    """Put the copy back on the loan of a branch that began on `lent_on`.

    The day of its return before that is not known any more; no later day than `lent_on` is right.
    """
    state = _after(copy, CopyStep.LEND)
    return _moved(copy, state, at_branch=branch_code, returned_on=lent_on)


def set_aside(copy: Copy, hold_id: str) -> Copy:
    """Set the copy aside on its shelf, for staff to fetch for a hold. Nobody else can borrow it."""
    moved = _moved(copy, _after(copy, CopyStep.SET_ASIDE), hold_id=hold_id)
    return replace(moved, shelved_for=copy.shelved_for)


def keep(copy: Copy, hold_id: str) -> Copy:
    """Put the copy on the hold shelf of the branch where it is."""
    return _moved(copy, _after(copy, CopyStep.KEEP), hold_id=hold_id)


def send(copy: Copy, bound_for: str, hold_id: str | None = None) -> Copy:
    """Send the copy to another branch, for a hold or because that branch owns it."""
    moved = _moved(copy, _after(copy, CopyStep.SEND), bound_for=bound_for, hold_id=hold_id)
    return replace(moved, shelved_for=copy.shelved_for)


def hand_on(copy: Copy, hold_id: str | None) -> Copy:
    """Release the copy from its hold. A copy in transit travels on, now for `hold_id`.

    One that was kept still lies on the hold shelf.
    """
    state = _after(copy, CopyStep.HAND_ON)
    if state is CopyState.AVAILABLE:
        left = copy.hold_id if copy.state is CopyState.ON_SHELF else copy.shelved_for
        return replace(_moved(copy, state), shelved_for=left)
    moved = _moved(copy, state, bound_for=copy.bound_for, hold_id=hold_id)
    return replace(moved, sent_on=copy.sent_on, shelved_for=copy.shelved_for)


def clear(copy: Copy, branch_code: str) -> Copy:
    """Record the scan of an available copy that was taken from the shelf of a hold that is over."""
    return _moved(copy, copy.state, at_branch=branch_code)


def dispatch(copy: Copy, on: date) -> Copy:
    """Record that the copy, which is in transit, has left the branch. Raises NotInThisState."""
    if copy.state is not CopyState.IN_TRANSIT or copy.sent_on is not None:
        raise refusals.NotInThisState(state=copy.state.value)
    return replace(copy, sent_on=on, shelved_for=None, version=copy.version + 1)


def arrive(copy: Copy, branch_code: str) -> Copy:
    """Record the scan, at any branch, of a copy in one of the AWAITED_STATES."""
    return _moved(copy, _after(copy, CopyStep.ARRIVE), at_branch=branch_code)


def lose(copy: Copy) -> Copy:
    """Mark the copy as lost by the patron who has it."""
    return _moved(copy, _after(copy, CopyStep.LOSE))


def miss(copy: Copy) -> Copy:
    """Mark the copy as lost because it is not where it should be."""
    return _moved(copy, _after(copy, CopyStep.MISS))


def damage(copy: Copy) -> Copy:
    """Mark the copy as damaged: it is not lent until it is repaired."""
    return _moved(copy, _after(copy, CopyStep.DAMAGE))


def withdraw(copy: Copy) -> Copy:
    """Mark the copy as withdrawn: it is no longer part of the library."""
    return _moved(copy, _after(copy, CopyStep.WITHDRAW))


def process(copy: Copy) -> Copy:
    """Hand the copy to the staff who catalogue, label or repair it. It is not lent meanwhile."""
    return _moved(copy, _after(copy, CopyStep.PROCESS))


def recover(copy: Copy, branch_code: str) -> Copy:
    """Make a lost, damaged or withdrawn copy available again at a branch."""
    return _moved(copy, _after(copy, CopyStep.RECOVER), at_branch=branch_code)


def describe(copy: Copy, changes: Mapping[str, Any]) -> Copy:
    """Update the description of a copy; return the same value if nothing differs.

    The changes are of its category, branch_code, price_cents, volume and record. Changes of its
    record are a mapping of that record's fields. A change of the branch that owns it does not move
    the copy: it goes there when it next comes back. Raises NotInThisState for another volume of a
    copy that is for a hold: it is for this volume.
    """
    changes = dict(changes)
    if "record" in changes:
        record = replace(copy.record or CopyRecord(), **changes["record"])
        changes["record"] = None if record == CopyRecord() else record
    described = replace(copy, **changes)
    if described.volume != copy.volume and copy.hold_id is not None:
        raise refusals.NotInThisState(state=copy.state.value)
    return copy if described == copy else replace(described, version=copy.version + 1)


def remember(copy: Copy, what: str, on: date, came_from: str | None = None) -> Copy:
    """Add the step that the copy has just taken to its past; its version stays."""
    branch = copy.branch_code if what == "owner" else copy.at_branch
    step = PastStep(on, what, branch, came_from)
    return replace(copy, past=(*copy.past, step)[-MOST_PAST:])


def move_work(copy: Copy, work_id: str | None) -> Copy:
    """Make the copy one of another work, as its title is."""
    return replace(copy, work_id=work_id, version=copy.version + 1)


def _moved(
    copy: Copy,
    state: CopyState,
    *,
    at_branch: str | None = None,
    returned_on: date | None = None,
    bound_for: str | None = None,
    hold_id: str | None = None,
) -> Copy:
    """Return the copy in its next state.

    Its hold and its destination end with the step, unless they are given again; so does what is
    noted of the shelf or the box that it lay in.
    """
    return replace(
        copy,
        state=state,
        at_branch=at_branch or copy.at_branch,
        returned_on=returned_on or copy.returned_on,
        bound_for=bound_for,
        hold_id=hold_id,
        shelved_for=None,
        sent_on=None,
        version=copy.version + 1,
    )


_REFUSED: Mapping[CopyState, type[refusals.Refusal]] = {
    CopyState.ON_LOAN: refusals.CopyOnLoan,
    CopyState.LOST: refusals.CopyLost,
    CopyState.DAMAGED: refusals.CopyDamaged,
    CopyState.WITHDRAWN: refusals.CopyWithdrawn,
    CopyState.ON_ORDER: refusals.CopyNotReady,
    CopyState.IN_PROCESS: refusals.CopyNotReady,
}


def _after(copy: Copy, step: CopyStep) -> CopyState:
    if (state := COPY_LIFE.get((copy.state, step))) is not None:
        return state
    if step is CopyStep.LEND:
        raise _REFUSED[copy.state]
    raise refusals.NotInThisState(state=copy.state.value)
