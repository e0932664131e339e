"""Notifications about a charge: assessed, lowered, refunded, paid or waived."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, ClassVar, Self

from pydantic import BaseModel

from services.notices.kinds import holds, loans
from services.notices.kinds.kind import Kind, Known
from services.notices.language import Language
from shared.contracts.circulation import (
    ChargeSnapshot,
    FineAdjusted,
    FineAssessed,
    FinePaid,
    FineWaived,
    PaymentReceiptRequested,
)
from shared.contracts.event import dollars
from shared.owners import path_to
from shared.translations import marked
from shared.unit_of_work import Run


class Charge(BaseModel):
    """Circulation's response: a charge in its present state."""

    amount_cents: int
    outstanding_cents: int
    refund_due_cents: int = 0
    kind: str | None = None


class LoanOfCharge(BaseModel):
    """Circulation's response: the data of a loan that its charge lacks."""

    title_id: str


@dataclass(frozen=True)
class Charges:
    """Some charges in their present state; amounts are those of all together."""

    amount_cents: int
    outstanding_cents: int
    refund_due_cents: int
    cents_by_kind: Mapping[str | None, int]
    """Amount of each kind of charge."""


async def _charges(charge_ids: Sequence[str], run: Run) -> Charges | None:
    """Return the charges in their present state, None if circulation does not know any of them."""
    found = []
    for charge_id in charge_ids:
        path = path_to("v1", "charges", charge_id)
        answer = await run.owners.get("circulation", path, now=run.now)
        if answer is not None:
            found.append(Charge.model_validate(answer))
    if not found:
        return None
    by_kind: Counter[str | None] = Counter()
    for charge in found:
        by_kind[charge.kind] += charge.amount_cents
    return Charges(
        sum(charge.amount_cents for charge in found),
        sum(charge.outstanding_cents for charge in found),
        sum(charge.refund_due_cents for charge in found),
        by_kind,
    )


async def _identity(event: ChargeSnapshot, run: Run) -> dict[str, Any]:
    """Return the facts of every charge. The title comes from its loan; a hold fee has no loan.

    The titles of the charges that it was changed with come from the event.
    """
    loan = None
    if event.loan_id:
        path = path_to("v1", "loans", event.loan_id)
        loan = await run.owners.get("circulation", path, now=run.now)
    return {
        "loan_id": event.loan_id or None,
        "title_id": None if loan is None else LoanOfCharge.model_validate(loan).title_id,
        "other_titles": tuple(dict.fromkeys(filter(None, (one.title_id for one in event.others))))
        or None,
        "charge_id": event.charge_id,
        "other_charges": tuple(one.charge_id for one in event.others) or None,
        "charge_kind": None if event.charge_kind == "fine" else event.charge_kind,
    }


@dataclass(frozen=True, kw_only=True)
class OfCharge(Kind):
    """The facts of every notification about a charge, and those changed in the same transaction.

    Of these, only the event of the first one is notified.
    """

    loan_id: str | None = None
    title_id: str | None = None
    other_titles: tuple[str, ...] | None = None
    charge_id: str
    other_charges: tuple[str, ...] | None = None
    charge_kind: str | None = None
    """`lost`, `lost-processing` or `hold-fee`; None for a fine."""

    @property
    def charge_ids(self) -> Sequence[str]:
        """The charges that the notification is about."""
        return (self.charge_id, *(self.other_charges or ()))

    def names(self, known: Known, language: Language) -> dict[str, str]:
        """Return the titles of the items that the charges are for: all, or three of many."""
        unknown = holds.ITEM if self.charge_kind == "hold-fee" else loans.ITEM
        ids = (self.title_id or "", *(self.other_titles or ()))
        titles = list(dict.fromkeys(language.quoted(known.titles.get(one), unknown) for one in ids))
        if len(titles) <= MOST_TITLES:
            return {"title": language.listed(titles)}
        named = language.comma.join(titles[: MOST_TITLES - 1])
        more = len(titles) - MOST_TITLES + 1
        return {"title": language.say(_AND_MORE).format(titles=named, more=more)}


MOST_TITLES = 4
"""Titles that a text names at the most."""
_AND_MORE = marked("{titles} and {more} more")


@dataclass(frozen=True, kw_only=True)
class Assessed(OfCharge, events=[FineAssessed], name=marked("New charge")):
    """A notification of new charges in their present state.

    If the last day of a fine was a suspended one, fines are suspended for the loan. The
    notification then names no amount; the account shows it.
    """

    by_post = True

    due_on: date | None = None
    suspended: bool = False
    amount_cents: int | None = None
    outstanding_cents: int | None = None
    price_cents: int | None = None
    """With other charges of a loss: its parts of the amount."""
    processing_cents: int | None = None
    fine_cents: int | None = None

    @classmethod
    async def of(cls, event: FineAssessed, run: Run) -> Self | None:
        """Return the amounts of the charges at this moment, unless another one notifies of it."""
        if event.notified_with:
            return None
        about = cls(
            **await _identity(event, run),
            due_on=event.due_on if event.kind == "fine" else None,
            suspended=event.suspended,
        )
        charges = await _charges(about.charge_ids, run)
        if charges is None or not charges.amount_cents:  # cancelled, which another one says
            return None
        return about._with(charges)

    async def current(self, run: Run) -> Self | None:
        """Return the charges as they are now; None if they were paid, waived or cancelled."""
        charges = await _charges(self.charge_ids, run)
        if charges is None or not charges.amount_cents:
            return None
        if not charges.outstanding_cents and self.outstanding_cents != 0:
            return None
        return self._with(charges)

    def _with(self, charges: Charges) -> Self:
        """Return the facts with the amounts of the charges, unless the fine is suspended."""
        if self.suspended:
            return self
        of_loss = self.charge_kind == "lost" and self.other_charges
        parts = charges.cents_by_kind if of_loss else {}
        return replace(
            self,
            amount_cents=charges.amount_cents,
            outstanding_cents=charges.outstanding_cents,
            price_cents=parts.get("lost") or None,
            processing_cents=parts.get("lost-processing") or None,
            fine_cents=parts.get("fine") or None,
        )

    @property
    def is_usual(self) -> bool:
        """True for a fine of which something is to be paid now."""
        return self.charge_kind is None and not self.suspended and bool(self.outstanding_cents)

    def texts(self, known: Known) -> list[str]:
        """Return sentences with the reason for the charges, their amount and the rest to pay."""
        if self.amount_cents == 0:
            return [_CANCELLED]
        if self.charge_kind is not None:
            left = marked("To pay: {outstanding}.") if self.outstanding_cents else _SETTLED
            if self.charge_kind != "lost":
                several = self.charge_kind == "hold-fee" and self.other_charges
                return [_FEES if several else _REASONS[self.charge_kind], left]
            if not self.other_charges:
                return [_REASONS["lost"], left, _BRING_BACK]
            return [*self._loss(), left, *([_BRING_BACK] if self.price_cents else [])]
        if self.suspended:
            return [
                marked(
                    "{title}: you've been fined for days before fines were suspended. See your "
                    "account."
                )
            ]
        if self.outstanding_cents:
            return [marked("{title}: you've been fined {amount}. To pay: {outstanding}.")]
        return [marked("{title}: you've been fined {amount}. Nothing is left to pay.")]

    def _loss(self) -> list[str]:
        """Return sentences with the charges of a loss: in all, and each."""
        parts = {
            marked("Price: {price}."): self.price_cents,
            marked("Replacement: {processing}."): self.processing_cents,
            marked("Overdue fine: {fine}."): self.fine_cents,
        }
        whole = marked("{title} was recorded as lost. You've been charged {amount} in all.")
        return [whole, *(text for text, cents in parts.items() if cents)]


_CANCELLED = marked("{title}: a charge was cancelled in full.")
_SETTLED = marked("Nothing is left to pay.")
_REASONS = {
    "lost": marked("{title} is lost. You've been charged its price of {amount}."),
    "lost-processing": marked("{title} is lost. You've been charged {amount} for replacing it."),
    "hold-fee": marked("You've been charged {amount} for collecting a reserved item."),
}
_FEES = marked("You've been charged {amount} for collecting reserved items.")
_BRING_BACK = marked("If you find it, please bring it back.")


@dataclass(frozen=True, kw_only=True)
class Adjusted(OfCharge, events=[FineAdjusted], name=marked("Charge lowered or refunded")):
    """A notification of lowered charges in their present state, or of a refund."""

    must_name = frozenset({"refund_due"})

    amount_cents: int | None = None
    """The charges now; if `refunded`, the sum given back; if `cancelled`, that of the payment."""
    refunded: bool | None = None
    """True if the amount was refunded; None if it was not."""
    cancelled: bool | None = None
    """True if a payment of the amount was cancelled; None if not."""
    refund_due_cents: int | None = None

    @classmethod
    async def of(cls, event: FineAdjusted, run: Run) -> Self | None:
        """Return the charges at this moment, or the amount refunded or cancelled then.

        None if another one notifies of it.
        """
        if event.notified_with:
            return None
        about = cls(**await _identity(event, run))
        if event.cancelled_cents:
            cents = event.cancelled_cents + sum(one.cents for one in event.others)
            return replace(about, amount_cents=cents, cancelled=True)
        charges = await _charges(about.charge_ids, run)
        if charges is None:
            return None
        refunded = event.refunded_cents > 0
        return replace(
            about,
            amount_cents=event.refunded_cents if refunded else charges.amount_cents,
            refunded=refunded or None,
            refund_due_cents=charges.refund_due_cents or None,
        )

    async def current(self, run: Run) -> Self | None:
        """Return the charges as they are now, or the same facts of a refund or a cancellation."""
        if self.refunded or self.cancelled:
            return self
        charges = await _charges(self.charge_ids, run)
        if charges is None:
            return None
        due_back = charges.refund_due_cents or None
        return replace(self, amount_cents=charges.amount_cents, refund_due_cents=due_back)

    @property
    def is_usual(self) -> bool:
        """True for a charge that is lower and not 0, except that of a found item."""
        is_lowered = not (self.refunded or self.cancelled or self.charge_kind == "lost")
        return is_lowered and bool(self.amount_cents)

    def texts(self, known: Known) -> list[str]:
        """Return sentences with the present amount and the amount due back."""
        if self.refunded:
            return [marked("{title}: {amount} was refunded to you.")]
        if self.cancelled:
            return [
                marked(
                    "{title}: the library cancelled the record of your payment of {amount}. See "
                    "your account for what is to be paid."
                )
            ]
        due_back = marked("You'll get {refund_due} back.")
        return [*self._lowered(), *([due_back] if self.refund_due_cents else [])]

    def _lowered(self) -> list[str]:
        """Return sentences with what is charged now. An item whose price is credited was found."""
        if self.charge_kind == "lost":
            found = marked("{title} was found, so its price is no longer charged.")
            if not self.other_charges:
                return [found]
            lowered = marked("Your fine for it was lowered to {amount}.")
            return [found, lowered if self.amount_cents else marked("Your fine was cancelled.")]
        if self.other_charges:
            lowered = marked("{title}: your charges were lowered to {amount} in all.")
            cancelled = marked("{title}: your charges were cancelled in full.")
            return [lowered if self.amount_cents else cancelled]
        lowered = marked("{title}: a charge was lowered to {amount}.")
        return [lowered if self.amount_cents else _CANCELLED]


@dataclass(frozen=True, kw_only=True)
class Paid(OfCharge, events=[FinePaid], name=marked("Payment received")):
    """A notification of a payment: the amount paid then, not the present state of its charges."""

    amount_cents: int

    @classmethod
    async def of(cls, event: FinePaid, run: Run) -> Self | None:
        """Return the amount paid in all, unless another one notifies of it."""
        if event.notified_with:
            return None
        paid = event.paid_cents + sum(one.cents for one in event.others)
        return cls(**await _identity(event, run), amount_cents=paid)

    def texts(self, known: Known) -> list[str]:
        """Return a sentence with the amount paid."""
        return [marked("{title}: your payment of {amount} was received. Thank you.")]


@dataclass(frozen=True, kw_only=True)
class Waived(OfCharge, events=[FineWaived], name=marked("Charge waived")):
    """A notification of a waiver."""

    amount_cents: int

    @classmethod
    async def of(cls, event: FineWaived, run: Run) -> Self:
        """Return the amount waived."""
        return cls(**await _identity(event, run), amount_cents=event.waived_cents)

    def texts(self, known: Known) -> list[str]:
        """Return a sentence with the amount waived."""
        return [marked("{title}: {amount} of a charge was waived, so you don't pay it.")]


@dataclass(frozen=True, kw_only=True)
class PaymentReceipt(Kind, events=[PaymentReceiptRequested], name=marked("Receipt of a payment")):
    """A receipt of a payment: what was paid then, for each charge."""

    urgent: ClassVar[bool] = True

    payment_id: str
    paid_at: datetime
    in_cash: bool
    amount_cents: int
    other_titles: tuple[str, ...] | None = None
    """Id of the title of each charge, "" if it is not known."""
    parts: tuple[int, ...] | None = None
    """Amount paid for each charge, in cents."""

    @classmethod
    async def of(cls, event: PaymentReceiptRequested, run: Run) -> Self:
        """Return the payment with its parts."""
        return cls.from_event(
            event,
            other_titles=tuple(part.title_id or "" for part in event.parts),
            parts=tuple(part.cents for part in event.parts),
        )

    def names(self, known: Known, language: Language) -> dict[str, str]:
        """Return what was paid for, each with its amount."""
        items = [
            f"{language.quoted(known.titles.get(title_id), loans.ITEM)} ({dollars(cents)})"
            for title_id, cents in zip(self.other_titles or (), self.parts or (), strict=True)
        ]
        return {"items": language.listed(items or [language.say(loans.ITEM)])}

    def texts(self, known: Known) -> list[str]:
        """Return sentences with the amount, its parts, and the number of the receipt."""
        online = marked("You paid {amount} online on {paid_at}: {items}.")
        cash = marked("You paid {amount} in cash on {paid_at}: {items}.")
        return [cash if self.in_cash else online, marked("Number of the receipt: {payment_id}.")]
