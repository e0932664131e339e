"""The queue of a title: which hold gets which free copy."""

from collections.abc import Collection, Iterable
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

    The row is for the category of the title's copies; of several categories, the first by name. A
    title without copies has the row for any category.
    """
    return policies.pick(patron.category, min(categories, default=""), branch_kind)
