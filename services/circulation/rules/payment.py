"""Payments and refunds: money moved by a payment provider, which may not answer, or in cash.

A payment through the provider fixes its charges and their sums before the provider is asked, and
the provider knows it by its id. A request can therefore be repeated, and the money is taken once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from services.circulation import refusals
from services.circulation.rules.charge import Charge


class PaymentState(StrEnum):
    """State of a payment."""

    PENDING = "pending"
    """Its charges are claimed; the provider is, or will be, asked to reserve the money."""
    AUTHORISED = "authorised"
    """The money is reserved, and may have been taken."""
    PAID = "paid"
    DECLINED = "declined"
    """Nothing was taken, and nothing will be."""
    CANCELLED = "cancelled"
    """It was recorded as paid in cash by mistake."""
    NOT_RECEIVED = "not-received"
    """The same: the provider never got the request, not even when it was sent again."""


class Step(StrEnum):
    """Step that a payment can take."""

    AUTHORISE = "authorise"
    SETTLE = "settle"
    RELEASE = "release"
    DROP = "drop"


LIFE: Mapping[tuple[PaymentState, Step], PaymentState] = {
    (PaymentState.PENDING, Step.AUTHORISE): PaymentState.AUTHORISED,
    (PaymentState.AUTHORISED, Step.AUTHORISE): PaymentState.AUTHORISED,
    (PaymentState.AUTHORISED, Step.SETTLE): PaymentState.PAID,
    (PaymentState.PAID, Step.SETTLE): PaymentState.PAID,
    (PaymentState.PENDING, Step.RELEASE): PaymentState.DECLINED,
    (PaymentState.AUTHORISED, Step.RELEASE): PaymentState.DECLINED,
    (PaymentState.DECLINED, Step.RELEASE): PaymentState.DECLINED,
    (PaymentState.PENDING, Step.DROP): PaymentState.NOT_RECEIVED,
    (PaymentState.NOT_RECEIVED, Step.DROP): PaymentState.NOT_RECEIVED,
}
"""State that each step leads to, by present state and step. Any other step is refused.
Money is taken only for an authorised payment, and a payment can be released or dropped before it is
authorised. A process that was paused in between therefore finds that it may not take any."""

UNDER_WAY = (PaymentState.PENDING, PaymentState.AUTHORISED)


@dataclass(frozen=True, slots=True)
class Part:
    """Cents that a payment pays of one charge: all that was outstanding, or less in cash."""

    charge_id: str
    cents: int


@dataclass(frozen=True, slots=True)
class Payment:
    """A patron's payment for some of their charges."""

    id: str
    """Id by which the provider knows the payment."""
    patron_id: str
    parts: tuple[Part, ...]
    begun_at: datetime
    """Business time, UTC."""
    state: PaymentState = PaymentState.PENDING
    taken_by: str = ""
    """Member of staff who took the money in cash; empty: the provider takes it."""
    till_id: str = ""
    """Till that the cash is in, or what stands for none being open; empty: of earlier releases."""
    cancelled_by: str = ""
    """Member of staff who cancelled it."""
    cancelled_at: datetime | None = None
    """Business time, UTC."""
    cancelled_because: str = ""
    left_till: bool = False
    """True if it was cancelled before its till was closed, so its cash does not count there."""
    provider_id: str = ""
    """Id that the provider gave it, if the patron pays on a page of the provider."""
    page_url: str = ""
    """Address of that page."""
    receipt_on: date | None = None
    """Last day on which its receipt was asked for by e-mail."""
    version: int = 1

    @property
    def in_cash(self) -> bool:
        """True if a member of staff took the money."""
        return bool(self.taken_by)

    @property
    def cents(self) -> int:
        """Sum of the parts."""
        return sum(part.cents for part in self.parts)


@dataclass(frozen=True, slots=True)
class Refund:
    """Money given back to a patron for one charge, in the way in which the charge was paid."""

    id: str
    """Id by which the provider knows the refund."""
    payment_id: str
    patron_id: str
    charge_id: str
    cents: int
    begun_at: datetime
    """Business time, UTC."""
    by: str
    """Member of staff who gives it."""
    settled: bool = False
    in_cash: bool = False
    """True if the member of staff gives the money; else the provider does."""
    till_id: str = ""
    """Id of the till that the money came from; empty: none is known."""
    version: int = 1


def begin_payment(
    payment_id: str, patron_id: str, charges: Sequence[Charge], at: datetime
) -> Payment:
    """Return a payment of all that is outstanding on these charges.

    Raises NothingToPay if one of them is settled.
    """
    if not all(charge.outstanding_cents for charge in charges):
        raise refusals.NothingToPay
    parts = tuple(Part(charge.id, charge.outstanding_cents) for charge in charges)
    return Payment(payment_id, patron_id, parts, at)


def take_cash(
    payment_id: str,
    patron_id: str,
    charges: Sequence[Charge],
    at: datetime,
    *,
    cents: int,
    by: str,
    shown_cents: int | None = None,
) -> Payment:
    """Return a payment of cents paid in cash to `by` for these charges, in this order.

    The first charges are paid in full; the last may be paid in part. `shown_cents` is the sum of
    what was outstanding as `by` was shown it, if known. Raises NothingToPay if a charge is settled,
    or AmountChanged if less than the cents, or another sum than was shown, is outstanding.
    """
    payment = begin_payment(payment_id, patron_id, charges, at)
    if cents > payment.cents:
        raise _amount_changed(payment.cents)
    if shown_cents is not None:
        _check_amount(shown_cents, payment.cents)
    parts, left = [], cents
    for part in payment.parts:
        if paid := min(part.cents, left):
            parts.append(replace(part, cents=paid))
            left -= paid
    return replace(payment, parts=tuple(parts), state=PaymentState.PAID, taken_by=by)


def cancel(
    payment: Payment,
    kept: Mapping[str, int],
    *,
    by: str,
    at: datetime,
    reason: str,
) -> Payment:
    """Return the payment as cancelled by `by`, of the staff, because it was a mistake.

    `kept` are the cents paid in cash and not given back, by charge. Raises PaymentCancelled,
    PaymentNotInCash, or PaymentRefunded if less is kept than was paid.
    """
    if payment.state is PaymentState.CANCELLED:
        raise refusals.PaymentCancelled
    if not payment.in_cash:
        raise refusals.PaymentNotInCash
    if any(kept[part.charge_id] < part.cents for part in payment.parts):
        raise refusals.PaymentRefunded
    return replace(
        payment,
        state=PaymentState.CANCELLED,
        cancelled_by=by,
        cancelled_at=at,
        cancelled_because=reason,
        version=payment.version + 1,
    )


def cash_kept(charge_id: str, payments: Sequence[Payment], refunds: Sequence[Refund]) -> int:
    """Return the cents of a charge that were paid in cash, less those given back in cash."""
    paid = (part for one in payments if one.in_cash for part in one.parts)
    return sum(part.cents for part in paid if part.charge_id == charge_id) - sum(
        refund.cents for refund in refunds if refund.in_cash
    )


def payment_to_refund(
    charge_id: str, payments: Sequence[Payment], refunds: Sequence[Refund]
) -> tuple[Payment, int] | None:
    """Return the payment that the next refund of a charge gives back, and its cents still kept.

    All payments in cash count as one, and are given back first. At most one payment was made
    through the provider, because it paid all that was outstanding. None if nothing is kept.
    """
    for in_cash in (True, False):
        paid = [payment for payment in payments if payment.in_cash is in_cash]
        cents = sum(
            part.cents for payment in paid for part in payment.parts if part.charge_id == charge_id
        ) - sum(refund.cents for refund in refunds if refund.in_cash is in_cash)
        if cents > 0:
            return paid[-1], cents
    return None


def begin_refund(
    refund_id: str,
    charge: Charge,
    payment: Payment,
    kept: int,
    at: datetime,
    *,
    by: str,
    cents: int | None = None,
) -> Refund:
    """Return a refund of what is due back for this charge, given already if it is in cash.

    `kept` is what the library still keeps of the payment; what is due beyond it is given back by
    another refund. `cents` is the amount that `by` was shown, if known. Raises NoRefundDue or
    AmountChanged.
    """
    given = min(charge.refund_due_cents, kept)
    if not given:
        raise refusals.NoRefundDue
    if cents is not None:
        _check_amount(cents, given)
    return Refund(
        refund_id,
        payment.id,
        charge.patron_id,
        charge.id,
        given,
        at,
        by,
        settled=payment.in_cash,
        in_cash=payment.in_cash,
    )


def _check_amount(given: int, due: int) -> None:
    if given != due:
        raise _amount_changed(due)


def _amount_changed(due: int) -> refusals.Refusal:
    return refusals.AmountChanged(amount=f"${due / 100:,.2f}")


def open_page(payment: Payment, provider_id: str, url: str) -> Payment:
    """Note the provider's page for a payment; the first page stays. Raises PaymentOver."""
    if payment.provider_id:
        return payment
    if payment.state is not PaymentState.PENDING:
        raise refusals.PaymentOver
    return replace(payment, provider_id=provider_id, page_url=url, version=payment.version + 1)


def ask_for_receipt(payment: Payment, on: date) -> Payment:
    """Note that its receipt is asked for; the same payment if it was on this day already.

    Raises NoReceipt while it is not paid, and after it was cancelled.
    """
    if payment.state is not PaymentState.PAID:
        raise refusals.NoReceipt
    if payment.receipt_on == on:
        return payment
    return replace(payment, receipt_on=on, version=payment.version + 1)


def take_step(payment: Payment, step: Step) -> Payment:
    """Apply a step to the payment; a repeated step changes nothing. Raises PaymentOver."""
    state = LIFE.get((payment.state, step))
    if state is None:
        raise refusals.PaymentOver
    return (
        payment
        if state is payment.state
        else replace(payment, state=state, version=payment.version + 1)
    )


def settle_refund(refund: Refund) -> Refund:
    """Mark the refund as given; return the same refund if it was given before."""
    return refund if refund.settled else replace(refund, settled=True, version=refund.version + 1)
