"""A patron, as far as lending goes. Who the person is stays with accounts."""

from collections.abc import Collection
from dataclasses import dataclass, replace

from services.circulation.domain.policy import Policy, PolicyMatrix


@dataclass(frozen=True, slots=True)
class Patron:
    """What accounts has told of a patron; `version` is that of its last event."""

    id: str
    category: str
    blocked: bool = False
    """By the staff, or erased. What they owe is counted here, so accounts' word on it is not taken:
    it follows ours, and would still block a patron who has just paid."""
    version: int = 1
    card_digest: str = ""
    """What their card is recognised by; empty once they are erased."""


@dataclass(frozen=True, slots=True)
class Borrower:
    """What circulation itself counts of a patron. Whatever a limit allows changes it.

    Two check-outs at once both change the version, so one of them waits and counts again.
    """

    id: str
    open_loans: int = 0
    open_holds: int = 0
    outstanding_cents: int = 0
    version: int = 0
    """0: nothing is counted yet."""

    def after(self, *, loans: int = 0, holds: int = 0, cents: int = 0) -> "Borrower":
        """With `loans` and `holds` more open ones (fewer, if negative) and `cents` more owed."""
        return replace(
            self,
            open_loans=self.open_loans + loans,
            open_holds=self.open_holds + holds,
            outstanding_cents=self.outstanding_cents + cents,
            version=self.version + 1,
        )


def blocked_elsewhere(status: str, blocked_by: Collection[str]) -> bool:
    """Whether accounts says that a patron is blocked, for another reason than what they owe."""
    return status != "active" and set(blocked_by) != {"money"}


def is_blocked(patron: Patron, outstanding_cents: int, policy: Policy) -> bool:
    """Whether the patron may borrow and renew nothing: blocked by accounts, or owing too much.

    What is owed is asked here too, so that a charge made a moment ago counts before accounts has
    heard of it.
    """
    return patron.blocked or policy.blocks(outstanding_cents)


def owes_too_much(patron: Patron, borrower: Borrower, policies: PolicyMatrix) -> bool:
    """Whether what the patron owes blocks them.

    By the row for their category, any copy and any branch: a patron is blocked or not, wherever
    they are and whatever they would borrow.
    """
    return policies.pick(patron.category, "", "").blocks(borrower.outstanding_cents)
