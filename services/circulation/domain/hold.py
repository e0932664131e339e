"""A hold: a patron waits for a title, to collect a copy of it at a branch.

The queue of a title is in the order of `place`. Who cannot be served for now is passed over and
keeps the place.
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
"""What cancelled a hold: its patron; the staff; that its patron borrowed another copy of the title;
or that the patron was erased."""


class HoldState(StrEnum):
    """Where a hold is in its life."""

    WAITING = "waiting"
    IN_TRANSIT = "in-transit"
    """A copy is on its way to the pick-up branch."""
    READY = "ready"
    """A copy is on the hold shelf of the pick-up branch."""
    COLLECTED = "collected"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class HoldStep(StrEnum):
    """What can happen to a hold."""

    SEND = "a copy is sent"
    KEEP = "a copy is kept"
    PUT_BACK = "its copy cannot be had"
    AMEND = "amend"
    FREEZE = "freeze"
    MOVE_SHELF = "move its last day on the shelf"
    COLLECT = "collect"
    CANCEL = "cancel"
    EXPIRE = "expire"


W, T, R = HoldState.WAITING, HoldState.IN_TRANSIT, HoldState.READY
HOLD_LIFE: Mapping[tuple[HoldState, HoldStep], HoldState] = {
    (W, HoldStep.SEND): T,
    (R, HoldStep.SEND): T,
    (W, HoldStep.KEEP): R,
    (T, HoldStep.KEEP): R,
    (T, HoldStep.PUT_BACK): W,
    (R, HoldStep.PUT_BACK): W,
    **{(state, HoldStep.AMEND): state for state in (W, T, R)},
    (W, HoldStep.FREEZE): W,
    (R, HoldStep.MOVE_SHELF): R,
    **{(state, HoldStep.COLLECT): HoldState.COLLECTED for state in (T, R)},
    **{(state, HoldStep.CANCEL): HoldState.CANCELLED for state in (W, T, R)},
    **{(state, HoldStep.EXPIRE): HoldState.EXPIRED for state in (W, R)},
}
"""The hold's life: the state that each step leads to. A step that is not here is refused."""

OPEN_STATES = (W, T, R)
"""In which a hold counts towards the patron's limit."""


@dataclass(frozen=True, slots=True)
class Queue:
    """What two who change the queue of a title at once meet in; see `store.holds`."""

    id: str
    """The title."""
    placed: int
    """Holds ever placed on it."""
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """One patron's place in the queue of one title."""

    id: str
    patron_id: str
    title_id: str
    pickup_branch: str
    place: int
    """Counts the holds ever placed on the title: who has a lower one is served first."""
    placed_at: datetime
    """Business time, UTC."""
    expires_on: date | None = None
    """The last day on which the patron would still have it, while it waits; None: any day."""
    frozen: bool = False
    frozen_until: date | None = None
    """While frozen: the first day on which it may be served again; None: until told."""
    state: HoldState = HoldState.WAITING
    copy_id: str | None = None
    """The copy that is on its way or on the shelf, or that was collected."""
    ready_on: date | None = None
    shelf_days: int = 0
    """Open days of the pick-up branch for which the copy is kept after `ready_on`."""
    shelf_until: date | None = None
    """The last day on the shelf as last told; None: not ready, or kept with no end announced.
    What has passed is decided by the rule: `shelf_end`."""
    ended_on: date | None = None
    ended_by: Ending | None = None
    version: int = 1

    @property
    def is_open(self) -> bool:
        """Whether the patron still has something to expect of it."""
        return self.state in OPEN_STATES

    def is_frozen(self, on: date) -> bool:
        """Whether the patron does not want it yet on `on`."""
        return self.frozen and (self.frozen_until is None or on < self.frozen_until)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A hold in the queue, with what decides whether it can be served."""

    hold: Hold
    patron: Patron | None
    owed_cents: int
    calendar: Calendar | None
    """Of the pick-up branch."""

    def policy_for(self, category: str, policies: PolicyMatrix) -> Policy | None:
        """The row for a copy of a category at the pick-up branch; None: nothing is known of it."""
        if self.patron is None or self.calendar is None:
            return None
        return policies.pick(self.patron.category, category, self.calendar.branch_kind)

    def can_be_served(self, category: str, policies: PolicyMatrix, on: date) -> bool:
        """Whether a copy may be kept for it on `on`.

        Not while it is frozen, no longer wanted, its patron is blocked, or its pick-up branch is
        closed with no end announced. A closure with an end keeps nobody from being served: the
        copy travels meanwhile and its days on the shelf begin with the reopening.
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
    """Whose turn it is, and the copy that they get."""

    waiting: Waiting
    copy: Copy
    policy: Policy
    calendar: Calendar
    """Of the pick-up branch."""


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
    """A new hold at the end of the queue.

    A title of which a copy is free may be held as well: the copy is then kept, or sent, at once.
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
    free: Collection[Copy], queue: Sequence[Waiting], policies: PolicyMatrix, on: date
) -> Iterator[Match]:
    """Who gets which of the free copies of a title: `queue` in turn, each the one nearest to them.

    Nobody who can be served and comes earlier goes without while someone later is given a copy.
    """
    left = {copy.id: copy for copy in free}
    for waiting in queue:
        fitting = [
            copy for copy in left.values() if waiting.can_be_served(copy.category, policies, on)
        ]
        if not fitting:
            continue
        copy = min(fitting, key=lambda one: _distance(one, waiting.hold.pickup_branch))
        policy = waiting.policy_for(copy.category, policies)
        if policy is not None and waiting.calendar is not None:
            del left[copy.id]
            yield Match(waiting, copy, policy, waiting.calendar)


def _distance(copy: Copy, branch_code: str) -> tuple[bool, bool, str]:
    heads_for = copy.bound_for or copy.at_branch
    return (heads_for != branch_code, copy.state is CopyState.IN_TRANSIT, copy.barcode)


def allot(
    hold: Hold, copy: Copy, *, on: date, shelf_days: int, calendar: Calendar
) -> tuple[Hold, Copy]:
    """The hold and a free copy, put on the shelf of the pick-up branch or on its way there.

    `calendar` is the pick-up branch's. A copy that is in transit goes on to where it is bound
    for, and from there to the pick-up branch.
    """
    if copy.state is CopyState.IN_TRANSIT:
        return _on_the_way(hold, copy), copies.hand_on(copy, hold.id)
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


def _on_the_way(hold: Hold, copy: Copy) -> Hold:
    if hold.state is HoldState.IN_TRANSIT and hold.copy_id == copy.id:
        return hold  # it came to another branch than it should: it goes on
    return replace(
        hold,
        state=_after(hold, HoldStep.SEND),
        frozen=False,
        frozen_until=None,
        copy_id=copy.id,
        ready_on=None,
        shelf_days=0,
        shelf_until=None,
        version=hold.version + 1,
    )


def last_shelf_day(ready_on: date, shelf_days: int, calendar: Calendar) -> date | None:
    """The `shelf_days`-th open day after `ready_on`; None: that day is not announced."""
    day: date | None = ready_on
    for _ in range(shelf_days):
        if day is None:
            return None
        day = calendar.next_open(day + timedelta(days=1))
    return day


def shelf_end(hold: Hold, calendar: Calendar) -> date | None:
    """The last day on which a ready hold can be collected; None: no end is announced.

    By the rule on the pick-up branch's calendar, so a closure extends it at once; but never
    earlier than the patron was told.
    """
    if hold.ready_on is None:
        return None
    end = last_shelf_day(hold.ready_on, hold.shelf_days, calendar)
    if end is None or hold.shelf_until is None:
        return end
    return max(end, hold.shelf_until)


def move_shelf(hold: Hold, calendar: Calendar) -> Hold:
    """The hold with its last day on the shelf as the calendar has it; itself if that is known."""
    end = shelf_end(hold, calendar)
    if hold.state is not HoldState.READY or end == hold.shelf_until:
        return hold
    state = _after(hold, HoldStep.MOVE_SHELF)
    return replace(hold, state=state, shelf_until=end, version=hold.version + 1)


def is_unwanted(hold: Hold, on: date) -> bool:
    """Whether the last day that the patron chose has passed while the hold waits."""
    return hold.state is W and hold.expires_on is not None and on > hold.expires_on


def is_left(hold: Hold, calendar: Calendar, on: date) -> bool:
    """Whether a ready hold was not collected in time, by the rule."""
    end = shelf_end(hold, calendar)
    return hold.state is HoldState.READY and end is not None and on > end


def put_back(hold: Hold) -> Hold:
    """The hold, waiting again at its place: its copy turned out lost, damaged or withdrawn."""
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
    """The hold with another pick-up branch; what is ready is to be sent there. Raises HoldEnded."""
    step = HoldStep.SEND if hold.state is HoldState.READY else HoldStep.AMEND
    return replace(
        hold,
        state=_after(hold, step),
        pickup_branch=pickup_branch,
        ready_on=None,
        shelf_days=0,
        shelf_until=None,
        version=hold.version + 1,
    )


def choose_expiry(hold: Hold, expires_on: date | None, on: date) -> Hold:
    """The hold with another last day. Raises HoldEnded, HoldNotWaiting or EndsBeforeToday."""
    state = _after(hold, HoldStep.FREEZE)
    return replace(
        hold, state=state, expires_on=_not_past(expires_on, on), version=hold.version + 1
    )


def freeze(hold: Hold, frozen: bool, until: date | None, on: date) -> Hold:
    """The hold, passed over until a day or until told, or no longer. It keeps its place.

    Raises HoldEnded; HoldNotWaiting if a copy is on its way already; or EndsBeforeToday.
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
    """The hold, done: its copy was lent to its patron."""
    state = _after(hold, HoldStep.COLLECT)
    return replace(hold, state=state, ended_on=on, version=hold.version + 1)


def cancel(hold: Hold, on: date, by: Ending) -> Hold:
    """The hold, given up. Raises HoldEnded."""
    state = _after(hold, HoldStep.CANCEL)
    return _ended(replace(hold, state=state, ended_by=by), on)


def expire(hold: Hold, on: date) -> Hold:
    """The hold, over: nobody served it in the time chosen, or nobody came for it."""
    return _ended(replace(hold, state=_after(hold, HoldStep.EXPIRE)), on)


def _ended(hold: Hold, on: date) -> Hold:
    return replace(hold, copy_id=None, ended_on=on, version=hold.version + 1)


def policy_at_placing(
    patron: Patron, categories: Iterable[str], branch_kind: str, policies: PolicyMatrix
) -> Policy:
    """The row that decides how many holds a patron may have, and whether what they owe matters.

    That of the title's copies; of several categories the first by name. A title of which there is
    no copy yet has the row for any.
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
