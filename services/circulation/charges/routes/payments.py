"""Routes of payments and refunds."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from services.circulation.calendars.queries import check_branches
from services.circulation.charges import queries, store
from services.circulation.charges.clients import Provider
from services.circulation.charges.clients.configured import provider_of
from services.circulation.charges.commands.cash import cancel_cash, take_cash
from services.circulation.charges.commands.payments import (
    BeginPayment,
    pay_charges,
    refund_charge,
)
from services.circulation.charges.commands.receipts import request_receipt
from services.circulation.charges.refusals import (
    NoPaymentProvider,
    NoSuchCharge,
    NoSuchPayment,
    PaymentDeclined,
    PaymentNotReceived,
    PaymentUnderWay,
    TillClosed,
)
from services.circulation.fields import BranchCode, Id, Ids, Line, TillName, day_of
from services.circulation.refusals import (
    AmountChanged,
    NoReceipt,
    NoRefundDue,
    NoSuchBranch,
    NothingToPay,
    PaymentCancelled,
    PaymentNotInCash,
    PaymentRefunded,
)
from services.circulation.rules.payment import Payment, PaymentState, Refund
from shared.audit_trail import shows_patrons
from shared.auth import Desk, Patron, PatronOrStaff, Staff, may_see
from shared.http.bodies import Body
from shared.http.dependencies import Db, Run
from shared.http.paging import Page, PageQuery, page_of
from shared.mongo import Database
from shared.refusals import refuses

router = APIRouter(prefix="/v1")


class TillIn(Body):
    """The desk whose till has the cash."""

    branch: BranchCode | None = Field(
        default=None, description="Library of the desk; null: not known."
    )
    till: TillName = Field(default="", description="Name of the till; empty: the only one.")


class PaymentIn(Body):
    """The charges to pay in full."""

    charge_ids: Ids


class CashIn(TillIn):
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


class RefundIn(TillIn):
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
    state: str = Field(
        description="`pending`, `paid`, `declined`, `not-received`, or `cancelled`: it was a "
        "mistake."
    )
    amount_cents: int
    currency: str = "HKD"
    parts: list[PartOut]
    begun_at: datetime
    in_cash: bool = Field(description="True if a library's desk took it, not the provider.")
    page_url: str | None = Field(
        default=None,
        description="Page of the provider on which the patron pays; null: there is none, or the "
        "payment is over.",
    )

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
            page_url=(payment.page_url or None) if payment.state is PaymentState.PENDING else None,
        )


class PartInFull(PartOut):
    """The part of a payment for one charge, with what the charge is for."""

    kind: str = Field(description="Kind of the charge.")
    title: str | None = Field(description="Null once the loan or the hold has been deleted.")


class PaymentInFull(PaymentOut):
    """A payment with what it paid, as a receipt shows it."""

    parts: list[PartInFull]  # type: ignore[assignment]
    refunded_cents: int = Field(description="Cents that were given back of it since.")


class PaymentPage(BaseModel):
    """A page of payments, the newest first; send `next` as `after` for the next page."""

    items: list[PaymentInFull]
    next: str | None


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

    With `page_url`, the patron is to pay on that page, and comes back to the payment's own.
    If a payment of the same charges is under way, the request continues and returns that payment.
    `payment-not-received`: the provider has not got the request, though it was sent twice; the
    charges can be paid again.
    """
    command = BeginPayment(body.charge_ids, caller.id)
    payment = await pay_charges(run, provider, command, day_of(None, run))
    response.status_code = 201 if payment.state is PaymentState.PAID else 202
    return PaymentOut.of(payment)


@router.post("/patrons/{patron_id}/payments", status_code=201)
@refuses(NoSuchBranch, NoSuchCharge, NothingToPay, AmountChanged, PaymentUnderWay)
async def post_cash_payment(patron_id: Id, body: CashIn, caller: Desk, run: Run) -> PaymentOut:
    """Record that a patron has paid charges in cash at a desk or a station, in full or in part.

    `amount-changed`: less than was taken, or another amount than was shown, is to be paid now, for
    example because a fine was lowered.
    """
    day = day_of(None, run)
    branch = await _desk_of(run, body.branch)
    payment = await run(
        take_cash,
        charge_ids=body.charge_ids,
        patron_id=patron_id,
        cents=body.amount_cents,
        by=caller.id,
        on=day,
        shown_cents=body.shown_cents,
        branch=branch,
        till=body.till,
    )
    return PaymentOut.of(payment)


async def _desk_of(run: Run, branch: str | None) -> str:
    """Return the code of the library of a desk, or "". Raises NoSuchBranch."""
    if branch:
        await check_branches(run, {branch})
    return branch or ""


class CancellationIn(Body):
    """Why a payment was a mistake, in the words of the staff."""

    reason: Line


@router.post("/payments/{payment_id}/cancellation")
@refuses(
    NoSuchPayment,
    PaymentCancelled,
    PaymentNotInCash,
    PaymentRefunded,
    PaymentUnderWay,
    TillClosed,
)
async def post_cancellation(
    payment_id: Id, body: CancellationIn, caller: Staff, run: Run
) -> PaymentOut:
    """Cancel a payment in cash that was recorded by mistake: its charges are to be paid again.

    It stays in the ledger with its cancellation. `till-closed`: its till is closed, or its day
    over, so a supervisor cancels it.
    """
    cancelled = await run(
        cancel_cash,
        payment_id=payment_id,
        reason=body.reason,
        by=caller.id,
        on=day_of(None, run),
        may_after_closing="override" in caller.rights,
    )
    return PaymentOut.of(cancelled)


@router.get("/payments/{payment_id}")
@refuses(NoSuchPayment)
@shows_patrons
async def get_payment(payment_id: Id, caller: PatronOrStaff, db: Db) -> PaymentInFull:
    """Get a payment."""
    payment = await store.find_payment(db, payment_id)
    if payment is None or not may_see(caller, payment.patron_id):
        raise NoSuchPayment
    return (await _in_full(db, [payment]))[0]


@router.post("/payments/{payment_id}/receipt", status_code=202)
@refuses(NoSuchPayment, NoReceipt)
async def post_payment_receipt(
    payment_id: Id, caller: PatronOrStaff, db: Db, run: Run
) -> PaymentOut:
    """Send the patron the receipt of a payment by e-mail, if they have an address.

    On one day it is sent once, however often it is asked for.
    """
    payment = await store.find_payment(db, payment_id)
    if payment is None or not may_see(caller, payment.patron_id):
        raise NoSuchPayment
    return PaymentOut.of(await run(request_receipt, payment_id, day_of(None, run)))


@router.get("/me/payments")
async def get_own_payments(caller: Patron, db: Db, page: PageQuery) -> PaymentPage:
    """List the patron's payments, the newest first, without those that were declined."""
    return await _payments_by(db, caller.id, page)


@router.get("/patrons/{patron_id}/payments")
@shows_patrons
async def get_payments(patron_id: Id, _caller: Staff, db: Db, page: PageQuery) -> PaymentPage:
    """List a patron's payments, the newest first, without those that were declined."""
    return await _payments_by(db, patron_id, page)


async def _payments_by(db: Database, patron_id: str, page: Page) -> PaymentPage:
    found = await store.find_payments_by(db, patron_id, page.limit, page.after)
    return PaymentPage(**page_of(await _in_full(db, found), page, lambda out: out.id))


async def _in_full(db: Database, payments: Sequence[Payment]) -> list[PaymentInFull]:
    """Build the responses, with three reads for all payments together."""
    ids = {part.charge_id for payment in payments for part in payment.parts}
    charges = {charge.id: charge for charge in await store.find_some(db, ids)}
    titles = await queries.items_of_charges(db, list(charges.values()))
    refunded: Counter[str] = Counter()
    for refund in await store.find_refunds_of(db, ids):
        refunded[refund.payment_id] += refund.cents if refund.settled else 0
    return [
        PaymentInFull(
            **dict(PaymentOut.of(payment))
            | {
                "parts": [
                    PartInFull(
                        charge_id=part.charge_id,
                        amount_cents=part.cents,
                        kind=charges[part.charge_id].kind.value,
                        title=titles.get(part.charge_id),
                    )
                    for part in payment.parts
                ]
            },
            refunded_cents=refunded[payment.id],
        )
        for payment in payments
    ]


@router.post("/charges/{charge_id}/refund", status_code=201, responses={202: {"model": RefundOut}})
@refuses(NoSuchBranch, NoSuchCharge, NoRefundDue, AmountChanged, PaymentUnderWay, NoPaymentProvider)
async def post_refund(
    charge_id: Id,
    caller: Staff,
    run: Run,
    provider: Repays,
    *,
    response: Response,
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
        branch=await _desk_of(run, body.branch if body else None),
        till=body.till if body else "",
    )
    response.status_code = 201 if refund.settled else 202
    return RefundOut.of(refund)
