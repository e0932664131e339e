"""The ledger: every change of what is owed is an entry, and no entry is ever changed.

Each function gives a `Posting`: the charge after a change and the entries that record it. Kept in
one transaction, they balance at every moment:

- the entries of a charge, those about refunds left out, sum to its `outstanding_cents`;
- its refund entries sum to what is due back, as a negative number: the library owes it;
- `charge`, `credit` and `refund-due` entries sum to its `amount_cents`.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from services.circulation.domain.charge import Charge
from services.circulation.domain.fines import Statement
from services.circulation.domain.refusals import MoreThanOutstanding, NoRefundDue


class EntryKind(StrEnum):
    """What an entry records."""

    CHARGE = "charge"
    PAYMENT = "payment"
    WAIVER = "waiver"
    CREDIT = "credit"
    """Less is charged than before."""
    REFUND_DUE = "refund-due"
    """Less is charged than was paid: the rest is owed to the patron."""
    REFUND = "refund"
    """Money was given back."""


class Change(StrEnum):
    """What a posting does to its charge."""

    ASSESSED = "assessed"
    PAID = "paid"
    WAIVED = "waived"
    ADJUSTED = "adjusted"
    REFUNDED = "refunded"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the ledger, written once."""

    id: str
    patron_id: str
    charge_id: str
    kind: EntryKind
    amount_cents: int
    """What it adds to what the patron owes: negative, where they owe less by it."""
    on: date
    """The library's day."""
    at: datetime
    """Business time, UTC."""
    reason: str
    reference: str
    """What it was made for: a payment, a closure, a loan. Empty: the charge says it."""
    by: str
    """Who did it. Empty: the rules."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """When, by whom and why a ledger is changed; the fields are those of `Entry`."""

    on: date
    at: datetime
    reason: str = ""
    reference: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class Posting:
    """A charge after one change, and the entries that record the change."""

    change: Change
    charge: Charge
    entries: tuple[Entry, ...]

    @property
    def owed_cents(self) -> int:
        """What it adds to what the patron owes."""
        return sum(entry.amount_cents for entry in self.entries if not is_refund(entry))

    @property
    def moved_cents(self) -> int:
        """How much was assessed, paid, waived or given back; of an adjustment what was lowered."""
        moving = _MOVES[self.change]
        return abs(sum(entry.amount_cents for entry in self.entries if entry.kind in moving))


_MOVES = {
    Change.ASSESSED: {EntryKind.CHARGE},
    Change.PAID: {EntryKind.PAYMENT},
    Change.WAIVED: {EntryKind.WAIVER},
    Change.ADJUSTED: {EntryKind.CREDIT, EntryKind.REFUND_DUE},
    Change.REFUNDED: {EntryKind.REFUND},
}


def is_refund(entry: Entry) -> bool:
    """Whether an entry is about what the library owes, not about what the patron does."""
    return entry.kind in (EntryKind.REFUND_DUE, EntryKind.REFUND)


def assessed(charge: Charge, at: datetime, *, by: str = "") -> Posting:
    """The posting of a new charge."""
    occasion = Occasion(on=charge.assessed_on, at=at, by=by)
    return _posting(Change.ASSESSED, charge, occasion, {EntryKind.CHARGE: charge.amount_cents})


def pay(charge: Charge, cents: int, occasion: Occasion) -> Posting:
    """The charge after a payment of `cents` for it, which has been taken already.

    Where the charge was lowered while the payment was under way, the patron has paid more than is
    owed now. It counts as if they had paid first: the credit is turned back by so much, and the
    same is due to them as a refund.
    """
    over = max(cents - charge.outstanding_cents, 0)
    paid = replace(
        charge,
        outstanding_cents=charge.outstanding_cents + over - cents,
        paid_cents=charge.paid_cents + cents - over,
        refund_due_cents=charge.refund_due_cents + over,
        version=charge.version + 1,
    )
    return _posting(
        Change.PAID,
        paid,
        occasion,
        {EntryKind.CREDIT: over, EntryKind.PAYMENT: -cents, EntryKind.REFUND_DUE: -over},
    )


def waive(charge: Charge, cents: int, occasion: Occasion) -> Posting:
    """The charge with `cents` of it waived. Raises MoreThanOutstanding."""
    if cents > charge.outstanding_cents:
        raise MoreThanOutstanding(cents=charge.outstanding_cents)
    waived = replace(
        charge,
        outstanding_cents=charge.outstanding_cents - cents,
        waived_cents=charge.waived_cents + cents,
        version=charge.version + 1,
    )
    return _posting(Change.WAIVED, waived, occasion, {EntryKind.WAIVER: -cents})


def lower(
    charge: Charge, to_cents: int, occasion: Occasion, *, statement: Statement | None = None
) -> Posting | None:
    """The charge as one of `to_cents`, with the statement that says so; None if it isn't lower.

    More is never charged after the fact. What falls away is taken first from what is outstanding,
    then from what was waived, last from what was paid: that part is due to the patron.
    """
    falls = charge.amount_cents - to_cents
    if falls <= 0:
        return None
    unpaid = min(falls, charge.outstanding_cents)
    unwaived = min(falls - unpaid, charge.waived_cents)
    refund_due = falls - unpaid - unwaived
    lowered = replace(
        charge,
        amount_cents=to_cents,
        outstanding_cents=charge.outstanding_cents - unpaid,
        waived_cents=charge.waived_cents - unwaived,
        paid_cents=charge.paid_cents - refund_due,
        refund_due_cents=charge.refund_due_cents + refund_due,
        statement=statement or charge.statement,
        version=charge.version + 1,
    )
    return _posting(
        Change.ADJUSTED,
        lowered,
        occasion,
        {
            EntryKind.CREDIT: -unpaid - unwaived,
            EntryKind.WAIVER: unwaived,  # what is not charged any more was not waived either
            EntryKind.REFUND_DUE: -refund_due,
        },
    )


def refund(charge: Charge, cents: int, occasion: Occasion) -> Posting:
    """The charge after `cents` of what is due back were given back. Raises NoRefundDue."""
    if cents > charge.refund_due_cents:
        raise NoRefundDue
    refunded = replace(
        charge, refund_due_cents=charge.refund_due_cents - cents, version=charge.version + 1
    )
    return _posting(Change.REFUNDED, refunded, occasion, {EntryKind.REFUND: cents})


def _posting(
    change: Change, charge: Charge, occasion: Occasion, amounts: dict[EntryKind, int]
) -> Posting:
    """With an entry for each amount that is not 0.

    An entry's id says which change of which charge it records, so one change can't be kept twice.
    """
    entries = tuple(
        Entry(
            id=f"{charge.id}.{charge.version:04}.{kind.value}",
            patron_id=charge.patron_id,
            charge_id=charge.id,
            kind=kind,
            amount_cents=cents,
            on=occasion.on,
            at=occasion.at,
            reason=occasion.reason,
            reference=occasion.reference,
            by=occasion.by,
        )
        for kind, cents in amounts.items()
        if cents
    )
    return Posting(change, charge, entries)
