"""Queues of titles or works, and hold shelves: which hold gets which copy, and until when."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import date

from services.circulation.rules import copy as copy_rules
from services.circulation.rules.calendar import Calendar
from services.circulation.rules.copy import Copy, CopyState
from services.circulation.rules.hold import (
    Hold,
    HoldState,
    HoldStep,
    await_copy,
    is_unwanted,
    next_state,
)
from services.circulation.rules.patron import Patron, has_expired, is_blocked
from services.circulation.rules.policy import Policy, PolicyMatrix


@dataclass(frozen=True, slots=True)
class Queue:
    """The queue of a title or a work.

    Every transaction that changes it writes it first, so two at once conflict.

    See `take_turn` in `holds.store`.
    """

    id: str
    """Id of the title, or of the work if the title has one."""
    placed: int
    """Number of holds ever placed in it."""
    version: int


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
        day, its patron is blocked or has an expired card, or its pick-up branch is closed with no
        end announced. A closure with an announced end does not prevent serving: the copy travels
        meanwhile, and its days on the shelf begin with the reopening.
        """
        policy = self.policy_for(category, policies)
        if policy is None or self.patron is None or self.calendar is None:
            return False
        hold = self.hold
        return not (
            hold.is_frozen(on)
            or is_unwanted(hold, on)
            or has_expired(self.patron.card_expires_on, on)
            or is_blocked(self.patron, self.owed_cents, policy)
            or self.calendar.next_open(on) is None
            or not policy.lendable
        )


def nearest(free: Iterable[Copy], branch_code: str, *, in_hand: Collection[str]) -> Copy | None:
    """Return the copy for a hold that is collected at a branch; None if there is none.

    A copy that lies there, or is in transit there, goes before one elsewhere. `in_hand` has the ids
    of the copies that were just scanned; of equally near copies they go first.
    """

    def distance(copy: Copy) -> tuple[bool, bool, bool, str, str]:
        heads_for = copy.bound_for or copy.at_branch
        return (
            heads_for != branch_code,
            copy.state is CopyState.IN_TRANSIT,
            copy.id not in in_hand,
            copy.at_branch,
            copy.barcode,
        )

    return min(free, key=distance, default=None)


def policy_at_placing(
    patron: Patron, categories: Iterable[str], branch_kind: str, policies: PolicyMatrix
) -> Policy:
    """Return the policy row that sets the patron's hold limit and the debt that blocks them.

    The row is for the category of the title's copies; of several categories, the first by name of
    those that are lent. A title without copies has the row for any category.
    """
    rows = [policies.pick(patron.category, each, branch_kind) for each in sorted(categories)]
    if not rows:
        return policies.pick(patron.category, "", branch_kind)
    return next((row for row in rows if row.lendable), rows[0])


def allot(
    hold: Hold, copy: Copy, *, on: date, shelf_days: int, calendar: Calendar
) -> tuple[Hold, Copy]:
    """Give the hold a free copy that was just scanned: ready at the pick-up branch, or sent there.

    `calendar` is the pick-up branch's.
    """
    if copy.at_branch != hold.pickup_branch:
        return _on_the_way(hold, copy), copy_rules.send(copy, hold.pickup_branch, hold.id)
    ready = replace(
        hold,
        state=next_state(hold, HoldStep.KEEP),
        frozen=False,
        frozen_until=None,
        copy_id=copy.id,
        ready_on=on,
        shelf_days=shelf_days,
        shelf_until=calendar.open_day_after(on, shelf_days),
        version=hold.version + 1,
    )
    return ready, copy_rules.keep(copy, hold.id)


def assign(hold: Hold, copy: Copy) -> tuple[Hold, Copy]:
    """Give the hold a free copy that was not just scanned: in transit, or for staff to fetch.

    A copy in transit continues to its destination, and from there to the pick-up branch. A copy on
    a shelf stays there until it is scanned; only then is it ready or sent.
    """
    if copy.state is CopyState.IN_TRANSIT:
        return _on_the_way(hold, copy), copy_rules.hand_on(copy, hold.id)
    return await_copy(hold, copy.id, HoldStep.SET_ASIDE), copy_rules.set_aside(copy, hold.id)


def _on_the_way(hold: Hold, copy: Copy) -> Hold:
    if hold.state is HoldState.IN_TRANSIT and hold.copy_id == copy.id:
        return hold  # it arrived at another branch than its destination and is sent on
    return await_copy(hold, copy.id, HoldStep.SEND)


def shelf_end(hold: Hold, calendar: Calendar, on: date) -> date | None:
    """Return the last day on which a ready hold can be collected; None if no end is announced.

    The pick-up branch's calendar decides, so a closure extends the time at once. The day is never
    earlier than the one last published. If no end was published, and on `on` the calendar gives a
    day that has passed (a closure without an end was withdrawn as an error), the time is counted
    from `on`: nobody could know of that day. Returns None for a hold that is not ready.
    """
    if hold.ready_on is None:
        return None
    end = calendar.open_day_after(hold.ready_on, hold.shelf_days)
    if end is None:
        return None
    if hold.shelf_until is None:
        return end if end >= on else calendar.open_day_after(on, hold.shelf_days)
    return max(end, hold.shelf_until)


def move_shelf(hold: Hold, calendar: Calendar, on: date) -> Hold:
    """Set its `shelf_end` on `on`; return the same hold if nothing changes."""
    end = shelf_end(hold, calendar, on)
    if hold.state is not HoldState.READY or end == hold.shelf_until:
        return hold
    state = next_state(hold, HoldStep.MOVE_SHELF)
    return replace(hold, state=state, shelf_until=end, version=hold.version + 1)


def is_uncollected(hold: Hold, calendar: Calendar, on: date) -> bool:
    """Return whether a ready hold was not collected by its `shelf_end`."""
    end = shelf_end(hold, calendar, on)
    return hold.state is HoldState.READY and end is not None and on > end
