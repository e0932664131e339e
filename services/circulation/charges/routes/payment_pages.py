"""Routes of payments on pages of the provider."""

from fastapi import APIRouter, Request

from services.circulation.charges import store
from services.circulation.charges.clients import NotOurs, ProviderAway
from services.circulation.charges.commands.payments import look_at_page
from services.circulation.charges.refusals import NoSuchPayment, PaymentUnderWay
from services.circulation.charges.routes.payments import PaymentOut, Pays
from services.circulation.fields import Id, day_of
from shared.auth import Forbidden, Patron
from shared.http.dependencies import Db, Run
from shared.refusals import refuses

router = APIRouter(prefix="/v1")


@router.post("/payments/notifications", status_code=204)
@refuses(Forbidden)
async def post_notification(request: Request, run: Run, db: Db, provider: Pays) -> None:
    """Let the provider say that a payment has changed; the provider is then asked how it stands.

    Notifications may be late, repeated, out of order or lost: the payments are asked about anyway.
    """
    try:
        payment_id = await provider.payment_of(await request.body(), request.headers)
    except NotOurs:
        raise Forbidden from None
    except ProviderAway:
        return
    if await store.find_payment(db, payment_id) is not None:
        await look_at_page(run, provider, payment_id, day_of(None, run))


@router.post("/payments/{payment_id}/page")
@refuses(NoSuchPayment)
async def post_page(payment_id: Id, caller: Patron, run: Run, db: Db, provider: Pays) -> PaymentOut:
    """Ask the provider what happened on the page of a payment; repeat it as often as needed."""
    await _own(db, payment_id, caller.id)
    return PaymentOut.of(await look_at_page(run, provider, payment_id, day_of(None, run)))


@router.delete("/payments/{payment_id}/page")
@refuses(NoSuchPayment, PaymentUnderWay)
async def delete_page(
    payment_id: Id, caller: Patron, run: Run, db: Db, provider: Pays
) -> PaymentOut:
    """Close the page of a payment, on which nothing was paid: its charges can be paid otherwise.

    If something was paid at this moment, the payment is paid. `payment-under-way`: the provider
    can't close the page now.
    """
    await _own(db, payment_id, caller.id)
    payment = await look_at_page(run, provider, payment_id, day_of(None, run), close=True)
    return PaymentOut.of(payment)


async def _own(db: Db, payment_id: str, patron_id: str) -> None:
    payment = await store.find_payment(db, payment_id)
    if payment is None or payment.patron_id != patron_id:
        raise NoSuchPayment
