"""Routes of payments and refunds."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from services.circulation.charges import store
from services.circulation.charges.clients import Provider, provider_of
from services.circulation.charges.commands.payments import (
    BeginPayment,
    pay_charges,
    refund_charge,
    take_cash,
)
from services.circulation.fields import Id, Ids, day_of
from services.circulation.refusals import (
    AmountChanged,
    NoPaymentProvider,
    NoRefundDue,
    NoSuchCharge,
    NoSuchPayment,
    NothingToPay,
    PaymentDeclined,
    PaymentNotReceived,
    PaymentUnderWay,
)
from services.circulation.rules.payment import Payment, PaymentState, Refund
from shared.audit_trail import shows_patrons
from shared.auth import Patron, PatronOrStaff, Staff, may_see
from shared.http.bodies import Body
from shared.http.dependencies import Db, Run
from shared.refusals import refuses

router = APIRouter(prefix="/v1")


class PaymentIn(Body):
    """The charges to pay in full."""

    charge_ids: Ids


class CashIn(Body):
    """The charges to pay, and the amount that was taken for all of them together."""

    charge_ids: Ids
    amount_cents: int = Field(
        ge=1,
        le=100_000_000,
        description="If it is less than is to be paid, the charges are paid in the given order, "
        "and the last of them in part or not at all.",
    )
    shown_cents: int | None = Field(
        default=None,
        ge=1,
        le=100_000_000,
        description="What was to be paid for these charges, as it was shown; refused if it has "
        "changed.",
    )


class RefundIn(Body):
    """The amount that is given back, as it was shown; refused if another is due by now."""

    amount_cents: int = Field(ge=1, le=100_000_000)


class PartOut(BaseModel):
    """The part of a payment for one charge, in cents."""

    charge_id: str
    amount_cents: int


class PaymentOut(BaseModel):
    """A payment. While it is pending, its charges can't be waived, and paying them continues it."""

    id: str
    patron_id: str
    state: str = Field(description="`pending`, `paid`, `declined` or `not-received`.")
    amount_cents: int
    currency: str = "HKD"
    parts: list[PartOut]
    begun_at: datetime
    in_cash: bool = Field(description="True if a library's desk took it, not the provider.")

    @classmethod
    def of(cls, payment: Payment) -> "PaymentOut":
        """Build the response from a payment. A payment with reserved money shows as pending."""
        reserved = payment.state is PaymentState.AUTHORISED
        return cls(
            id=payment.id,
            patron_id=payment.patron_id,
            state=(PaymentState.PENDING if reserved else payment.state).value,
            amount_cents=payment.cents,
            parts=[
                PartOut(charge_id=part.charge_id, amount_cents=part.cents) for part in payment.parts
            ],
            begun_at=payment.begun_at,
            in_cash=payment.in_cash,
        )


class RefundOut(BaseModel):
    """A refund of a charge."""

    id: str
    payment_id: str
    charge_id: str
    amount_cents: int
    currency: str = "HKD"
    state: str = Field(description="`pending` or `given`.")
    in_cash: bool = Field(description="True if it is given at a library's desk, as it was paid.")

    @classmethod
    def of(cls, refund: Refund) -> "RefundOut":
        """Build the response from a refund."""
        return cls(
            id=refund.id,
            payment_id=refund.payment_id,
            charge_id=refund.charge_id,
            amount_cents=refund.cents,
            state="given" if refund.settled else "pending",
            in_cash=refund.in_cash,
        )


@refuses(NoPaymentProvider)
async def _provider(request: Request, db: Db) -> Provider:
    return provider_of(request.app.state.settings, db)


async def _provider_if_any(request: Request, db: Db) -> Provider | None:
    try:
        return provider_of(request.app.state.settings, db)
    except NoPaymentProvider:
        return None


Pays = Annotated[Provider, Depends(_provider)]
"""The payment provider."""
Repays = Annotated[Provider | None, Depends(_provider_if_any)]
"""The payment provider, if one is set up; cash is given back without one."""


@router.post("/payments", status_code=201, responses={202: {"model": PaymentOut}})
@refuses(NoSuchCharge, NothingToPay, PaymentUnderWay, PaymentDeclined, PaymentNotReceived)
async def post_payment(
    body: PaymentIn, caller: Patron, run: Run, provider: Pays, response: Response
) -> PaymentOut:
    """Pay charges, each in full. 202: the provider has not answered yet; read the payment later.

    If a payment of the same charges is under way, the request continues and returns that payment.
    `payment-not-received`: the provider has not got the request, though it was sent twice; the
    charges can be paid again.
    """
    command = BeginPayment(body.charge_ids, caller.id)
    payment = await pay_charges(run, provider, command, day_of(None, run))
    response.status_code = 201 if payment.state is PaymentState.PAID else 202
    return PaymentOut.of(payment)


@router.post("/patrons/{patron_id}/payments", status_code=201)
@refuses(NoSuchCharge, NothingToPay, AmountChanged, PaymentUnderWay)
async def post_cash_payment(patron_id: Id, body: CashIn, caller: Staff, run: Run) -> PaymentOut:
    """Record that a patron has paid charges in cash at a library's desk, in full or in part.

    `amount-changed`: less than was taken, or another amount than was shown, is to be paid now, for
    example because a fine was lowered.
    """
    day = day_of(None, run)
    payment = await run(
        take_cash,
        charge_ids=body.charge_ids,
        patron_id=patron_id,
        cents=body.amount_cents,
        by=caller.id,
        on=day,
        shown_cents=body.shown_cents,
    )
    return PaymentOut.of(payment)


@router.get("/payments/{payment_id}")
@refuses(NoSuchPayment)
@shows_patrons
async def get_payment(payment_id: Id, caller: PatronOrStaff, db: Db) -> PaymentOut:
    """Get a payment."""
    payment = await store.find_payment(db, payment_id)
    if payment is None or not may_see(caller, payment.patron_id):
        raise NoSuchPayment
    return PaymentOut.of(payment)


@router.post("/charges/{charge_id}/refund", status_code=201, responses={202: {"model": RefundOut}})
@refuses(NoSuchCharge, NoRefundDue, AmountChanged, PaymentUnderWay, NoPaymentProvider)
async def post_refund(
    charge_id: Id,
    caller: Staff,
    run: Run,
    provider: Repays,
    response: Response,
    *,
    body: RefundIn | None = None,
) -> RefundOut:
    """Give back the refund due on a charge, in the way in which it was paid.

    `in_cash`: a library's desk gives it. What was paid in cash comes first; ask again for what was
    paid through the provider. 202: the provider has not answered yet; ask again.
    """
    refund = await refund_charge(
        run,
        provider,
        charge_id=charge_id,
        by=caller.id,
        on=day_of(None, run),
        cents=body.amount_cents if body else None,
    )
    response.status_code = 201 if refund.settled else 202
    return RefundOut.of(refund)
