"""The ledger: every change of what is owed adds an entry, and no entry is ever changed.

Each function returns a `Posting`: the charge after a change and the entries that record it. Saved
in one transaction, they balance at every moment:

- the entries of a charge, except those about refunds, sum to its `outstanding_cents`;
- its refund entries sum to the refund due, as a negative number because the library owes it;
- `charge`, `credit` and `refund-due` entries sum to its `amount_cents`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from services.circulation.refusals import MoreThanOutstanding, NoRefundDue
from services.circulation.rules.calendar import Calendar
from services.circulation.rules.charge import (
    Charge,
    ChargeKind,
    counted_until,
    ends,
    worked_out_again,
)
from services.circulation.rules.fines import Statement
from services.circulation.rules.loan import Loan
from services.circulation.rules.suspension import FineSuspension


class EntryKind(StrEnum):
    """Kind of a ledger entry."""

    CHARGE = "charge"
    PAYMENT = "payment"
    WAIVER = "waiver"
    CREDIT = "credit"
    """Less is charged than before."""
    REFUND_DUE = "refund-due"
    """Less is charged than was paid; the rest is owed to the patron."""
    REFUND = "refund"
    """Money was given back."""
    CANCELLATION = "cancellation"
    """A payment that was recorded by mistake is cancelled."""


class PostingKind(StrEnum):
    """Kind of change that a posting makes to its charge."""

    ASSESSED = "assessed"
    PAID = "paid"
    WAIVED = "waived"
    ADJUSTED = "adjusted"
    REFUNDED = "refunded"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the ledger, written once."""

    id: str
    patron_id: str
    charge_id: str
    kind: EntryKind
    amount_cents: int
    """Cents added to what the patron owes; negative if they owe less."""
    on: date
    """Date in the library's time zone."""
    at: datetime
    """Business time, UTC."""
    reason: str
    reference: str
    """Payment, refund, loan or rework that the entry was made for; empty: the charge says it."""
    by: str
    """Author of the entry; empty: the rules."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """Time, author and reason of a change of the ledger; the fields are those of `Entry`."""

    on: date
    at: datetime
    reason: str = ""
    reference: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class Posting:
    """A charge after one change, and the entries that record the change."""

    kind: PostingKind
    charge: Charge
    entries: tuple[Entry, ...]

    @property
    def owed_cents(self) -> int:
        """Cents added to what the patron owes; negative if they owe less."""
        return sum(entry.amount_cents for entry in self.entries if not is_refund(entry))

    @property
    def moved_cents(self) -> int:
        """Cents assessed, paid, waived or given back; for an adjustment, cents lowered."""
        moving = _MOVES[self.kind]
        return abs(sum(entry.amount_cents for entry in self.entries if entry.kind in moving))


_MOVES = {
    PostingKind.ASSESSED: {EntryKind.CHARGE},
    PostingKind.PAID: {EntryKind.PAYMENT},
    PostingKind.WAIVED: {EntryKind.WAIVER},
    PostingKind.ADJUSTED: {EntryKind.CREDIT, EntryKind.REFUND_DUE},
    PostingKind.REFUNDED: {EntryKind.REFUND},
    PostingKind.CANCELLED: {EntryKind.CANCELLATION},
}


def is_refund(entry: Entry) -> bool:
    """Return whether an entry is about money that the library owes, not the patron."""
    return entry.kind in (EntryKind.REFUND_DUE, EntryKind.REFUND)


def assessed(charge: Charge, at: datetime, *, by: str = "") -> Posting:
    """Return the posting of a new charge."""
    occasion = Occasion(on=charge.assessed_on, at=at, by=by)
    return _posting(PostingKind.ASSESSED, charge, occasion, {EntryKind.CHARGE: charge.amount_cents})


def pay(charge: Charge, cents: int, occasion: Occasion) -> Posting:
    """Post a payment of `cents` that the provider has already taken.

    If the charge was lowered while the payment was under way, the patron may have paid more than is
    owed now. The payment then counts as made before the reduction: the excess is taken back from
    the credit and becomes due as a refund.
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
        PostingKind.PAID,
        paid,
        occasion,
        {EntryKind.CREDIT: over, EntryKind.PAYMENT: -cents, EntryKind.REFUND_DUE: -over},
    )


def cancel_payment(charge: Charge, cents: int, occasion: Occasion) -> Posting:
    """Post that a payment of `cents` was recorded by mistake: the reverse of `pay`.

    What was due back because of it is due no more.
    """
    over = min(charge.refund_due_cents, cents)
    unpaid = replace(
        charge,
        outstanding_cents=charge.outstanding_cents + cents - over,
        paid_cents=charge.paid_cents - cents + over,
        refund_due_cents=charge.refund_due_cents - over,
        version=charge.version + 1,
    )
    return _posting(
        PostingKind.CANCELLED,
        unpaid,
        occasion,
        {EntryKind.CREDIT: -over, EntryKind.CANCELLATION: cents, EntryKind.REFUND_DUE: over},
    )


def waive(charge: Charge, cents: int, occasion: Occasion) -> Posting:
    """Post a waiver of `cents`. Raises MoreThanOutstanding."""
    if cents > charge.outstanding_cents:
        raise MoreThanOutstanding(outstanding=f"${charge.outstanding_cents / 100:,.2f}")
    waived = replace(
        charge,
        outstanding_cents=charge.outstanding_cents - cents,
        waived_cents=charge.waived_cents + cents,
        version=charge.version + 1,
    )
    return _posting(PostingKind.WAIVED, waived, occasion, {EntryKind.WAIVER: -cents})


def lower(
    charge: Charge, to_cents: int, occasion: Occasion, *, statement: Statement | None = None
) -> Posting | None:
    """Post a reduction to `to_cents` with the new statement, if any; None if that is not lower.

    A charge is never raised after the fact. The reduction is taken first from what is outstanding,
    then from what was paid, which becomes due to the patron, and last from what was waived.
    """
    falls = charge.amount_cents - to_cents
    if falls <= 0:
        return None
    unpaid = min(falls, charge.outstanding_cents)
    refund_due = min(falls - unpaid, charge.paid_cents)
    unwaived = falls - unpaid - refund_due
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
        PostingKind.ADJUSTED,
        lowered,
        occasion,
        {
            EntryKind.CREDIT: -unpaid - unwaived,
            EntryKind.WAIVER: unwaived,  # cents no longer charged no longer count as waived
            EntryKind.REFUND_DUE: -refund_due,
        },
    )


def credit_of_return(
    charge: Charge,
    ended: Loan,
    calendar: Calendar,
    suspensions: Iterable[FineSuspension],
    occasion: Occasion,
) -> Posting | None:
    """Post the credit for what the loan's loss or a renewal charged though the copy was back.

    Returns None for a charge that stands. The price is credited, and the days of a fine after the
    copy came back. The processing charge stays because the work was done, as in Evergreen by
    default. `calendar` is the lending branch's.
    """
    if charge.kind is ChargeKind.LOST:
        return lower(charge, 0, occasion)
    came_back = counted_until(charge, ended.returned_on) if ended.returned_on else charge
    again = None
    if ends(charge, ended):
        again = ended.final_fine
    elif came_back is not charge:
        again = worked_out_again(came_back, calendar, suspensions)
    return lower(came_back, again.amount_cents, occasion, statement=again) if again else None


def refund(charge: Charge, cents: int, occasion: Occasion) -> Posting:
    """Post that `cents` of the refund due were given back. Raises NoRefundDue."""
    if cents > charge.refund_due_cents:
        raise NoRefundDue
    refunded = replace(
        charge, refund_due_cents=charge.refund_due_cents - cents, version=charge.version + 1
    )
    return _posting(PostingKind.REFUNDED, refunded, occasion, {EntryKind.REFUND: cents})


def _posting(
    of_kind: PostingKind, charge: Charge, occasion: Occasion, amounts: dict[EntryKind, int]
) -> Posting:
    """Return a posting with an entry for each amount that is not 0.

    An entry's id contains the charge's id and version, so one change can't be saved twice.
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
    return Posting(of_kind, charge, entries)
