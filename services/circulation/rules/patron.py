"""A patron, as far as lending needs one. Personal details stay with accounts."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date, datetime

from services.circulation.refusals import CardExpired
from services.circulation.rules.policy import Policy, PolicyMatrix


@dataclass(frozen=True, slots=True)
class Patron:
    """A patron as accounts has published them; `version` is that of the last event."""

    id: str
    category: str
    blocked: bool = False
    """True if the staff blocked the patron, or the patron was erased.
    A block by accounts for money is ignored: circulation counts debts itself, and accounts
    follows with a delay, so its block could outlast a payment."""
    version: int = 1
    card_digest: str = ""
    """Digest that identifies the patron's card; empty once they are erased."""
    card_expires_on: date | None = None
    """Last day on which the card is valid; None: it does not expire."""


@dataclass(frozen=True, slots=True)
class Borrower:
    """Circulation's own counts for a patron. Every change that a limit applies to writes them.

    Two check-outs at the same time both change `version`, so one of them is retried and counts
    again.
    """

    id: str
    open_loans: int = 0
    open_holds: int = 0
    outstanding_cents: int = 0
    closed: bool = False
    """True once accounts has begun to erase the patron: nothing is lent or reserved any more."""
    version: int = 0
    """Version of the counts; 0: nothing is counted yet."""

    def after(self, *, loans: int = 0, holds: int = 0, cents: int = 0) -> "Borrower":
        """Add `loans`, `holds` and `cents` to what is open and owed; negative numbers subtract."""
        return replace(
            self,
            open_loans=self.open_loans + loans,
            open_holds=self.open_holds + holds,
            outstanding_cents=self.outstanding_cents + cents,
            version=self.version + 1,
        )


@dataclass(frozen=True, slots=True)
class OpenItems:
    """Loans and money for which a patron is still needed."""

    loans: int
    outstanding_cents: int
    refund_due_cents: int

    def __bool__(self) -> bool:
        """Return whether anything is open."""
        return bool(self.loans or self.outstanding_cents or self.refund_due_cents)


def blocked_elsewhere(status: str, blocked_by: Collection[str]) -> bool:
    """Return whether accounts reports a block for a reason other than money owed."""
    return status != "active" and set(blocked_by) != {"money"}


def is_blocked(patron: Patron, outstanding_cents: int, policy: Policy) -> bool:
    """Return whether the patron may not borrow or renew: blocked by accounts, or owing too much.

    What the patron owes is checked here too, so that a new charge counts before accounts has
    processed its event.
    """
    return patron.blocked or policy.blocks(outstanding_cents)


def has_expired(card_expires_on: date | None, on: date) -> bool:
    """Return whether a card is no longer valid on `on`; it is valid through its last day."""
    return card_expires_on is not None and on > card_expires_on


def check_card(card_expires_on: date | None, on: date) -> None:
    """Raise CardExpired if a card is no longer valid on `on`."""
    if card_expires_on is not None and has_expired(card_expires_on, on):
        raise CardExpired(expired_on=card_expires_on)


class PatronInDoubt(Exception):
    """A block or the expiry of a card refuses, which accounts may have ended a moment ago."""

    def __init__(self, patron_id: str) -> None:
        super().__init__(patron_id)
        self.patron_id = patron_id


def check_state(patron: Patron, on: date, *, may_be_behind: bool) -> None:
    """Raise PatronInDoubt if the state `may_be_behind` that of accounts, and would refuse."""
    if may_be_behind and (patron.blocked or has_expired(patron.card_expires_on, on)):
        raise PatronInDoubt(patron.id)


def with_valid_card(patron: Patron, on: date) -> Patron:
    """Return the patron as after a renewal of an expired card; the same one if it is valid."""
    expired = has_expired(patron.card_expires_on, on)
    return replace(patron, card_expires_on=None) if expired else patron


def owes_too_much(patron: Patron, borrower: Borrower, policies: PolicyMatrix) -> bool:
    """Return whether what the patron owes blocks them.

    Uses the policy row for their category with any copy and any branch, so the answer does not
    depend on where they are or what they borrow.
    """
    return policies.pick(patron.category, "", "").blocks(borrower.outstanding_cents)


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that a patron may have of any copies at any branch, and owe and still borrow."""

    most_loans: int
    most_holds: int
    most_owed_cents: int
    at_loan_limit: bool


def limits_of(patron: Patron | None, borrower: Borrower, policies: PolicyMatrix) -> Limits:
    """Return a patron's limits, by the same policy row as `owes_too_much`.

    None: accounts has not published the patron yet, so the row for everybody applies.
    """
    row = policies.pick(patron.category if patron else "", "", "")
    most_owed = max(row.block_over_cents - 1, 0)
    return Limits(row.max_loans, row.max_holds, most_owed, borrower.open_loans >= row.max_loans)


@dataclass(frozen=True, slots=True)
class Link:
    """One side of a link: `member_id` may renew, reserve and cancel for `patron_id`.

    An ended one is a tombstone, which names no patrons, so that an older event does not bring it
    back.
    """

    id: str
    patron_id: str
    member_id: str
    ended_at: datetime | None = None
    """Wall clock; None: not ended."""
    version: int = 1
