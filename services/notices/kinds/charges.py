"""Notifications about a charge: assessed, lowered, refunded, paid or waived."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Self

from pydantic import BaseModel

from services.notices.kinds import holds, loans
from services.notices.kinds.kind import Kind, Known
from services.notices.kinds.language import Language
from shared.contracts.circulation import (
    ChargeSnapshot,
    FineAdjusted,
    FineAssessed,
    FinePaid,
    FineWaived,
)
from shared.owners import path_to
from shared.translations import marked
from shared.unit_of_work import Run


class Charge(BaseModel):
    """Circulation's response: a charge in its present state."""

    amount_cents: int
    outstanding_cents: int
    refund_due_cents: int = 0


class LoanOfCharge(BaseModel):
    """Circulation's response: the data of a loan that its charge lacks."""

    title_id: str


async def _charge(charge_id: str, run: Run) -> Charge | None:
    """Return the charge in its present state, None if circulation does not know it."""
    path = path_to("v1", "charges", charge_id)
    answer = await run.owners.get("circulation", path, now=run.now)
    return None if answer is None else Charge.model_validate(answer)


async def _identity(event: ChargeSnapshot, run: Run) -> dict[str, Any]:
    """Return the facts of every charge. The title comes from its loan; a hold fee has no loan."""
    loan = None
    if event.loan_id:
        path = path_to("v1", "loans", event.loan_id)
        loan = await run.owners.get("circulation", path, now=run.now)
    return {
        "loan_id": event.loan_id or None,
        "title_id": None if loan is None else LoanOfCharge.model_validate(loan).title_id,
        "charge_id": event.charge_id,
        "charge_kind": None if event.charge_kind == "fine" else event.charge_kind,
    }


@dataclass(frozen=True, kw_only=True)
class OfCharge(Kind):
    """The facts of every notification about a charge."""

    loan_id: str | None = None
    title_id: str | None = None
    charge_id: str
    charge_kind: str | None = None
    """`lost`, `lost-processing` or `hold-fee`; None for a fine."""

    def names(self, known: Known, language: Language) -> dict[str, str]:
        """Return the title of the item that the charge is for."""
        unknown = holds.ITEM if self.charge_kind == "hold-fee" else loans.ITEM
        return {"title": language.quoted(known.titles.get(self.title_id or ""), unknown)}


@dataclass(frozen=True, kw_only=True)
class Assessed(OfCharge, events=[FineAssessed]):
    """A notification of a new charge in its present state.

    If the last day of a fine was a suspended one, fines are suspended for the loan. The
    notification then names no amount; the account shows it.
    """

    due_on: date | None = None
    suspended: bool = False
    amount_cents: int | None = None
    outstanding_cents: int | None = None

    @classmethod
    async def of(cls, event: FineAssessed, run: Run) -> Self | None:
        """Return the amounts of the charge at this moment."""
        charge = await _charge(event.charge_id, run)
        if charge is None or not charge.amount_cents:  # cancelled, which another one says
            return None
        return cls(
            **await _identity(event, run),
            due_on=event.due_on if event.kind == "fine" else None,
            suspended=event.suspended,
            amount_cents=None if event.suspended else charge.amount_cents,
            outstanding_cents=None if event.suspended else charge.outstanding_cents,
        )

    async def current(self, run: Run) -> Self | None:
        """Return the charge as it is now; None if it was paid, waived or cancelled."""
        charge = await _charge(self.charge_id, run)
        if charge is None or not charge.amount_cents:
            return None
        if not charge.outstanding_cents and self.outstanding_cents != 0:
            return None
        if self.suspended:
            return self
        return replace(
            self, amount_cents=charge.amount_cents, outstanding_cents=charge.outstanding_cents
        )

    @property
    def is_usual(self) -> bool:
        """True for a fine of which something is to be paid now."""
        return self.charge_kind is None and not self.suspended and bool(self.outstanding_cents)

    def texts(self, known: Known) -> list[str]:
        """Return sentences with the reason for the charge, its amount and the rest to pay."""
        if self.amount_cents == 0:
            return [_CANCELLED]
        if self.charge_kind is not None:
            left = marked("To pay: {outstanding}.")
            return [_REASONS[self.charge_kind], left if self.outstanding_cents else _SETTLED]
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


_CANCELLED = marked("{title}: a charge was cancelled in full.")
_SETTLED = marked("Nothing is left to pay.")
_REASONS = {
    "lost": marked("{title} is lost. You've been charged its price of {amount}."),
    "lost-processing": marked("{title} is lost. You've been charged {amount} for replacing it."),
    "hold-fee": marked("You've been charged {amount} for collecting a reserved item."),
}


@dataclass(frozen=True, kw_only=True)
class Adjusted(OfCharge, events=[FineAdjusted]):
    """A notification of a lowered charge in its present state, or of a refund."""

    must_name = frozenset({"refund_due"})

    amount_cents: int | None = None
    """The charge now or, if `refunded`, the amount given back."""
    refunded: bool | None = None
    """True if the amount was refunded; None if it was not."""
    refund_due_cents: int | None = None

    @classmethod
    async def of(cls, event: FineAdjusted, run: Run) -> Self | None:
        """Return the charge at this moment, or the amount refunded then."""
        charge = await _charge(event.charge_id, run)
        if charge is None:
            return None
        refunded = event.refunded_cents > 0
        return cls(
            **await _identity(event, run),
            amount_cents=event.refunded_cents if refunded else charge.amount_cents,
            refunded=refunded or None,
            refund_due_cents=charge.refund_due_cents or None,
        )

    async def current(self, run: Run) -> Self | None:
        """Return the charge as it is now, or the same facts of a refund."""
        if self.refunded:
            return self
        charge = await _charge(self.charge_id, run)
        if charge is None:
            return None
        due_back = charge.refund_due_cents or None
        return replace(self, amount_cents=charge.amount_cents, refund_due_cents=due_back)

    @property
    def is_usual(self) -> bool:
        """False for a refund, and for a charge that was cancelled in full."""
        return not self.refunded and bool(self.amount_cents)

    def texts(self, known: Known) -> list[str]:
        """Return sentences with the present amount and the amount due back."""
        if self.refunded:
            return [marked("{title}: {amount} was refunded to you.")]
        lowered = marked("{title}: a charge was lowered to {amount}.")
        if not self.amount_cents:
            lowered = _CANCELLED
        due_back = marked("You'll get {refund_due} back.")
        return [lowered, due_back] if self.refund_due_cents else [lowered]


@dataclass(frozen=True, kw_only=True)
class Paid(OfCharge, events=[FinePaid]):
    """A notification of a payment: the amount paid then, not the present state of the charge."""

    amount_cents: int

    @classmethod
    async def of(cls, event: FinePaid, run: Run) -> Self:
        """Return the amount paid."""
        return cls(**await _identity(event, run), amount_cents=event.paid_cents)

    def texts(self, known: Known) -> list[str]:
        """Return a sentence with the amount paid."""
        return [marked("{title}: your payment of {amount} was received. Thank you.")]


@dataclass(frozen=True, kw_only=True)
class Waived(OfCharge, events=[FineWaived]):
    """A notification of a waiver."""

    amount_cents: int

    @classmethod
    async def of(cls, event: FineWaived, run: Run) -> Self:
        """Return the amount waived."""
        return cls(**await _identity(event, run), amount_cents=event.waived_cents)

    def texts(self, known: Known) -> list[str]:
        """Return a sentence with the amount waived."""
        return [marked("{title}: {amount} of a charge was waived, so you don't pay it.")]
