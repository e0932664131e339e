"""A hold: a patron waits for a title and collects a copy of it at a branch.

A title's queue is ordered by `place`. A hold that cannot be served now is passed over and keeps its
place.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Literal

from services.circulation.domain import copy as copies
from services.circulation.domain.calendar import Calendar
from services.circulation.domain.copy import Copy, CopyState
from services.circulation.domain.patron import Patron, is_blocked
from services.circulation.domain.policy import Policy, PolicyMatrix
from services.circulation.domain.refusals import (
    EndsBeforeToday,
    HoldEnded,
    HoldExists,
    HoldLimit,
    HoldNotWaiting,
    PatronBlocked,
    TitleOnLoan,
)

Ending = Literal["patron", "staff", "borrowed", "erased"]
"""Reason for the cancellation of a hold.
`patron` and `staff`: they cancelled it. `borrowed`: its patron borrowed another copy of the
title. `erased`: its patron was erased."""


class HoldState(StrEnum):
    """State of a hold."""

    WAITING = "waiting"
    TO_FETCH = "to-fetch"
    """A copy is set aside on a shelf; staff still have to fetch and scan it."""
    IN_TRANSIT = "in-transit"
    """A copy is on its way to the pick-up branch."""
    READY = "ready"
    """A copy is on the hold shelf of the pick-up branch."""
    COLLECTED = "collected"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class HoldStep(StrEnum):
    """Step that a hold can take."""

    SET_ASIDE = "a copy on a shelf is set aside"
    SEND = "a copy is sent"
    KEEP = "a copy is kept"
    PUT_BACK = "its copy cannot be had"
    AMEND = "amend"
    FREEZE = "freeze"
    MOVE_SHELF = "move its last day on the shelf"
    COLLECT = "collect"
    CANCEL = "cancel"
    EXPIRE = "expire"


W, F, T, R = HoldState.WAITING, HoldState.TO_FETCH, HoldState.IN_TRANSIT, HoldState.READY
HOLD_LIFE: Mapping[tuple[HoldState, HoldStep], HoldState] = {
    (W, HoldStep.SET_ASIDE): F,
    (R, HoldStep.SET_ASIDE): F,
    **{(state, HoldStep.SEND): T for state in (W, F)},
    **{(state, HoldStep.KEEP): R for state in (W, F, T)},
    **{(state, HoldStep.PUT_BACK): W for state in (F, T, R)},
    **{(state, HoldStep.AMEND): state for state in (W, F, T, R)},
    (W, HoldStep.FREEZE): W,
    (R, HoldStep.MOVE_SHELF): R,
    **{(state, HoldStep.COLLECT): HoldState.COLLECTED for state in (F, T, R)},
    **{(state, HoldStep.CANCEL): HoldState.CANCELLED for state in (W, F, T, R)},
    **{(state, HoldStep.EXPIRE): HoldState.EXPIRED for state in (W, R)},
}
"""State that each step leads to, by present state and step. Any other step is refused."""

OPEN_STATES = (W, F, T, R)
"""States in which a hold counts towards the patron's limit."""

SERVED_STATES = (F, T, R)
"""States in which a hold has a copy of its own."""


@dataclass(frozen=True, slots=True)
class Queue:
    """A title's queue. Every transaction that changes it writes it first, so two at once conflict.

    See `store.holds`.
    """

    id: str
    """Id of the title."""
    placed: int
    """Number of holds ever placed on the title."""
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """One patron's place in the queue of one title."""

    id: str
    patron_id: str
    title_id: str
    pickup_branch: str
    place: int
    """Ordinal among all holds ever placed on the title; the lowest is served first."""
    placed_at: datetime
    """Business time, UTC."""
    expires_on: date | None = None
    """Last day on which the patron wants the hold while it waits; None: no last day."""
    frozen: bool = False
    frozen_until: date | None = None
    """First day on which a frozen hold may be served again; None: no day is set."""
    state: HoldState = HoldState.WAITING
    copy_id: str | None = None
    """Id of the copy that is to be fetched, in transit or ready, or that was collected."""
    ready_on: date | None = None
    shelf_days: int = 0
    """Open days of the pick-up branch for which the copy is kept after `ready_on`."""
    shelf_until: date | None = None
    """Last day on the shelf as last published; None: not ready, or no end is announced.
    `shelf_end` decides whether that day has passed."""
    ended_on: date | None = None
    ended_by: Ending | None = None
    version: int = 1

    @property
    def is_open(self) -> bool:
        """True if the hold is not collected, cancelled or expired."""
        return self.state in OPEN_STATES

    def is_frozen(self, on: date) -> bool:
        """Return whether the hold is frozen on `on`."""
        return self.frozen and (self.frozen_until is None or on < self.frozen_until)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A hold in a queue, with the facts that decide whether it can be served."""

    hold: Hold
    patron: Patron | None
    owed_cents: int
    calendar: Calendar | None
    """Calendar of the pick-up branch; None: not known."""

    def policy_for(self, category: str, policies: PolicyMatrix) -> Policy | None:
        """Return the policy row for a copy of this category at the pick-up branch.

        Returns None if the patron or the branch is not known.
        """
        if self.patron is None or self.calendar is None:
            return None
        return policies.pick(self.patron.category, category, self.calendar.branch_kind)

    def can_be_served(self, category: str, policies: PolicyMatrix, on: date) -> bool:
        """Return whether a copy of this category may be kept for the hold on `on`.

        Returns False if the patron or the branch is not known, the hold is frozen or past its last
        day, its patron is blocked, or its pick-up branch is closed with no end announced. A closure
        with an announced end does not prevent serving: the copy travels meanwhile, and its days on
        the shelf begin with the reopening.
        """
        policy = self.policy_for(category, policies)
        if policy is None or self.patron is None or self.calendar is None:
            return False
        hold = self.hold
        return not (
            hold.is_frozen(on)
            or is_unwanted(hold, on)
            or is_blocked(self.patron, self.owed_cents, policy)
            or self.calendar.next_open(on) is None
        )


@dataclass(frozen=True, slots=True)
class Match:
    """The next hold to serve, and the copy that it gets."""

    waiting: Waiting
    copy: Copy
    policy: Policy
    calendar: Calendar
    """Calendar of the pick-up branch."""


def place(
    *,
    hold_id: str,
    patron: Patron,
    title_id: str,
    pickup_branch: str,
    place: int,
    at: datetime,
    on: date,
    expires_on: date | None,
    policy: Policy,
    blocked: bool,
    open_holds: int,
    holds_title: bool,
    has_title: bool,
) -> Hold:
    """Return a new hold at the end of the queue.

    A title with a free copy may be held too; the copy is then set aside at once.

    Raises PatronBlocked, HoldExists, TitleOnLoan, HoldLimit or EndsBeforeToday.
    """
    if blocked:
        raise PatronBlocked
    if holds_title:
        raise HoldExists
    if has_title:
        raise TitleOnLoan
    if open_holds >= policy.max_holds:
        raise HoldLimit(limit=policy.max_holds)
    return Hold(
        id=hold_id,
        patron_id=patron.id,
        title_id=title_id,
        pickup_branch=pickup_branch,
        place=place,
        placed_at=at,
        expires_on=_not_past(expires_on, on),
    )


def matches(
    free: Collection[Copy],
    queue: Sequence[Waiting],
    policies: PolicyMatrix,
    on: date,
    *,
    in_hand: Collection[str],
) -> Iterator[Match]:
    """Match the free copies of a title with its queue: each hold in turn gets the nearest copy.

    A hold that can be served by a copy never goes without while a later hold gets that copy.
    `in_hand` has the ids of the copies that were just scanned; of equally near copies they go
    first.
    """
    left = {copy.id: copy for copy in free}
    for waiting in queue:
        fitting = [
            copy for copy in left.values() if waiting.can_be_served(copy.category, policies, on)
        ]
        if not fitting:
            continue
        copy = min(fitting, key=lambda one: _distance(one, waiting.hold.pickup_branch, in_hand))
        policy = waiting.policy_for(copy.category, policies)
        if policy is not None and waiting.calendar is not None:
            del left[copy.id]
            yield Match(waiting, copy, policy, waiting.calendar)


def _distance(
    copy: Copy, branch_code: str, in_hand: Collection[str]
) -> tuple[bool, bool, bool, str]:
    heads_for = copy.bound_for or copy.at_branch
    return (
        heads_for != branch_code,
        copy.state is CopyState.IN_TRANSIT,
        copy.id not in in_hand,
        copy.barcode,
    )


def allot(
    hold: Hold, copy: Copy, *, on: date, shelf_days: int, calendar: Calendar
) -> tuple[Hold, Copy]:
    """Give the hold a free copy that was just scanned: ready at the pick-up branch, or sent there.

    `calendar` is the pick-up branch's.
    """
    if copy.at_branch != hold.pickup_branch:
        return _on_the_way(hold, copy), copies.send(copy, hold.pickup_branch, hold.id)
    ready = replace(
        hold,
        state=_after(hold, HoldStep.KEEP),
        frozen=False,
        frozen_until=None,
        copy_id=copy.id,
        ready_on=on,
        shelf_days=shelf_days,
        shelf_until=last_shelf_day(on, shelf_days, calendar),
        version=hold.version + 1,
    )
    return ready, copies.keep(copy, hold.id)


def assign(hold: Hold, copy: Copy) -> tuple[Hold, Copy]:
    """Give the hold a free copy that was not just scanned: in transit, or for staff to fetch.

    A copy in transit goes on to its destination, and from there to the pick-up branch. A copy on a
    shelf stays there until it is scanned; only then is it ready or sent.
    """
    if copy.state is CopyState.IN_TRANSIT:
        return _on_the_way(hold, copy), copies.hand_on(copy, hold.id)
    return _awaiting(hold, copy.id, HoldStep.SET_ASIDE), copies.set_aside(copy, hold.id)


def _on_the_way(hold: Hold, copy: Copy) -> Hold:
    if hold.state is HoldState.IN_TRANSIT and hold.copy_id == copy.id:
        return hold  # it arrived at another branch than its destination and is sent on
    return _awaiting(hold, copy.id, HoldStep.SEND)


def _awaiting(hold: Hold, copy_id: str | None, step: HoldStep) -> Hold:
    """Return the hold with a copy that cannot be collected yet."""
    return replace(
        hold,
        state=_after(hold, step),
        frozen=False,
        frozen_until=None,
        copy_id=copy_id,
        ready_on=None,
        shelf_days=0,
        shelf_until=None,
        version=hold.version + 1,
    )


def last_shelf_day(ready_on: date, shelf_days: int, calendar: Calendar) -> date | None:
    """Return the `shelf_days`-th open day after `ready_on`; None if that day is not announced."""
    day: date | None = ready_on
    for _ in range(shelf_days):
        if day is None:
            return None
        day = calendar.next_open(day + timedelta(days=1))
    return day


def shelf_end(hold: Hold, calendar: Calendar) -> date | None:
    """Return the last day on which a ready hold can be collected; None if no end is announced.

    The pick-up branch's calendar decides, so a closure extends the time at once. The day is never
    earlier than the one last published. Returns None for a hold that is not ready.
    """
    if hold.ready_on is None:
        return None
    end = last_shelf_day(hold.ready_on, hold.shelf_days, calendar)
    if end is None or hold.shelf_until is None:
        return end
    return max(end, hold.shelf_until)


def move_shelf(hold: Hold, calendar: Calendar) -> Hold:
    """Set the last shelf day that the calendar gives; return the same hold if nothing changes."""
    end = shelf_end(hold, calendar)
    if hold.state is not HoldState.READY or end == hold.shelf_until:
        return hold
    state = _after(hold, HoldStep.MOVE_SHELF)
    return replace(hold, state=state, shelf_until=end, version=hold.version + 1)


def is_unwanted(hold: Hold, on: date) -> bool:
    """Return whether a waiting hold is past the last day that its patron chose."""
    return hold.state is W and hold.expires_on is not None and on > hold.expires_on


def is_left(hold: Hold, calendar: Calendar, on: date) -> bool:
    """Return whether a ready hold was not collected by its `shelf_end`."""
    end = shelf_end(hold, calendar)
    return hold.state is HoldState.READY and end is not None and on > end


def put_back(hold: Hold) -> Hold:
    """Make the hold wait again at its place, because its copy is lost, damaged or withdrawn."""
    return replace(
        hold,
        state=_after(hold, HoldStep.PUT_BACK),
        copy_id=None,
        ready_on=None,
        shelf_days=0,
        shelf_until=None,
        version=hold.version + 1,
    )


def redirect(hold: Hold, pickup_branch: str) -> Hold:
    """Set another pick-up branch. Raises HoldEnded.

    A copy that is ready lies on the hold shelf of the former branch; staff fetch it from there.
    """
    if hold.state is HoldState.READY:
        moved = _awaiting(hold, hold.copy_id, HoldStep.SET_ASIDE)
        return replace(moved, pickup_branch=pickup_branch)
    state = _after(hold, HoldStep.AMEND)
    return replace(hold, state=state, pickup_branch=pickup_branch, version=hold.version + 1)


def choose_expiry(hold: Hold, expires_on: date | None, on: date) -> Hold:
    """Set the last day on which a waiting hold is wanted.

    Raises HoldEnded, HoldNotWaiting or EndsBeforeToday.
    """
    state = _after(hold, HoldStep.FREEZE)
    return replace(
        hold, state=state, expires_on=_not_past(expires_on, on), version=hold.version + 1
    )


def freeze(hold: Hold, frozen: bool, until: date | None, on: date) -> Hold:
    """Freeze a waiting hold until a day or without an end, or unfreeze it. It keeps its place.

    Raises HoldEnded; HoldNotWaiting if the hold has a copy already; or EndsBeforeToday.
    """
    state = _after(hold, HoldStep.FREEZE)
    return replace(
        hold,
        state=state,
        frozen=frozen,
        frozen_until=_not_past(until, on) if frozen else None,
        version=hold.version + 1,
    )


def collect(hold: Hold, on: date) -> Hold:
    """End the hold as collected: its copy was lent to its patron."""
    state = _after(hold, HoldStep.COLLECT)
    return replace(hold, state=state, ended_on=on, version=hold.version + 1)


def cancel(hold: Hold, on: date, by: Ending) -> Hold:
    """End the hold as cancelled. Raises HoldEnded."""
    state = _after(hold, HoldStep.CANCEL)
    return _ended(replace(hold, state=state, ended_by=by), on)


def expire(hold: Hold, on: date) -> Hold:
    """End the hold as expired: it was not served by the day chosen, or not collected in time."""
    return _ended(replace(hold, state=_after(hold, HoldStep.EXPIRE)), on)


def _ended(hold: Hold, on: date) -> Hold:
    return replace(hold, copy_id=None, ended_on=on, version=hold.version + 1)


def policy_at_placing(
    patron: Patron, categories: Iterable[str], branch_kind: str, policies: PolicyMatrix
) -> Policy:
    """Return the policy row that sets the patron's hold limit and the debt that blocks them.

    The row is for the category of the title's copies; of several categories, the first by name. A
    title without copies has the row for any category.
    """
    return policies.pick(patron.category, min(categories, default=""), branch_kind)


def _not_past(day: date | None, on: date) -> date | None:
    if day is not None and day < on:
        raise EndsBeforeToday(on=day)
    return day


def _after(hold: Hold, step: HoldStep) -> HoldState:
    if (state := HOLD_LIFE.get((hold.state, step))) is not None:
        return state
    raise HoldNotWaiting if hold.is_open else HoldEnded
