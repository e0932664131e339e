"""The queue of a title: which hold gets which free copy."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from services.circulation.domain.calendar import Calendar
from services.circulation.domain.copy import Copy, CopyState
from services.circulation.domain.hold import Hold, is_unwanted
from services.circulation.domain.patron import Patron, is_blocked
from services.circulation.domain.policy import Policy, PolicyMatrix


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


def policy_at_placing(
    patron: Patron, categories: Iterable[str], branch_kind: str, policies: PolicyMatrix
) -> Policy:
    """Return the policy row that sets the patron's hold limit and the debt that blocks them.

    The row is for the category of the title's copies; of several categories, the first by name. A
    title without copies has the row for any category.
    """
    return policies.pick(patron.category, min(categories, default=""), branch_kind)
