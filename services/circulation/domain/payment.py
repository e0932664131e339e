"""Payments and refunds: money that moves at a payment provider, which may not answer.

A payment names its charges and their sums before the provider is asked, and the provider knows it
by its id. So whatever happens in between, it can be asked for again, and is taken once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from services.circulation.domain.charge import Charge
from services.circulation.domain.refusals import NoRefundDue, NothingToPay, PaymentOver


class PaymentState(StrEnum):
    """Where a payment is in its life."""

    PENDING = "pending"
    """Its charges are claimed; the provider is, or will be, asked to reserve the money."""
    AUTHORISED = "authorised"
    """The money is reserved, and may have been taken."""
    PAID = "paid"
    DECLINED = "declined"
    """Nothing was taken, and nothing will be."""


class Step(StrEnum):
    """What can happen to a payment."""

    AUTHORISE = "authorise"
    SETTLE = "settle"
    RELEASE = "release"


LIFE: Mapping[tuple[PaymentState, Step], PaymentState] = {
    (PaymentState.PENDING, Step.AUTHORISE): PaymentState.AUTHORISED,
    (PaymentState.AUTHORISED, Step.AUTHORISE): PaymentState.AUTHORISED,
    (PaymentState.AUTHORISED, Step.SETTLE): PaymentState.PAID,
    (PaymentState.PAID, Step.SETTLE): PaymentState.PAID,
    (PaymentState.PENDING, Step.RELEASE): PaymentState.DECLINED,
    (PaymentState.AUTHORISED, Step.RELEASE): PaymentState.DECLINED,
    (PaymentState.DECLINED, Step.RELEASE): PaymentState.DECLINED,
}
"""The state that each step leads to. A step that is not here is refused.

Money is taken of an authorised payment only, and one that is not authorised yet can be released: so
a process that stood still in between finds that it may not take any.
"""

UNDER_WAY = (PaymentState.PENDING, PaymentState.AUTHORISED)


@dataclass(frozen=True, slots=True)
class Part:
    """What a payment pays of one charge, in cents: all that was outstanding."""

    charge_id: str
    cents: int


@dataclass(frozen=True, slots=True)
class Payment:
    """Money of a patron for some of their charges."""

    id: str
    """The provider knows the payment by it."""
    patron_id: str
    parts: tuple[Part, ...]
    begun_at: datetime
    """Business time, UTC."""
    state: PaymentState = PaymentState.PENDING
    version: int = 1

    @property
    def cents(self) -> int:
        """The sum."""
        return sum(part.cents for part in self.parts)


@dataclass(frozen=True, slots=True)
class Refund:
    """Money that goes back to a patron for one charge, through the payment that it came by."""

    id: str
    """The provider knows the refund by it."""
    payment_id: str
    patron_id: str
    charge_id: str
    cents: int
    begun_at: datetime
    """Business time, UTC."""
    by: str
    """Who of the staff gives it."""
    settled: bool = False
    version: int = 1


def begin_payment(
    payment_id: str, patron_id: str, charges: Sequence[Charge], at: datetime
) -> Payment:
    """A payment of all that is outstanding of these charges. Raises NothingToPay."""
    if not all(charge.outstanding_cents for charge in charges):
        raise NothingToPay
    parts = tuple(Part(charge.id, charge.outstanding_cents) for charge in charges)
    return Payment(payment_id, patron_id, parts, at)


def begin_refund(
    refund_id: str, charge: Charge, payment: Payment, at: datetime, *, by: str
) -> Refund:
    """A refund of all that is due back of this charge. Raises NoRefundDue."""
    if not charge.refund_due_cents:
        raise NoRefundDue
    return Refund(
        refund_id,
        payment.id,
        charge.patron_id,
        charge.id,
        charge.refund_due_cents,
        at,
        by,
    )


def take_step(payment: Payment, step: Step) -> Payment:
    """The payment after a step; the same one, if it was taken before. Raises PaymentOver."""
    state = LIFE.get((payment.state, step))
    if state is None:
        raise PaymentOver
    return (
        payment
        if state is payment.state
        else replace(payment, state=state, version=payment.version + 1)
    )


def settle_refund(refund: Refund) -> Refund:
    """The refund as given; the same one, if it was given before."""
    return refund if refund.settled else replace(refund, settled=True, version=refund.version + 1)
