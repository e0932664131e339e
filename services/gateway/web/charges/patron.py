"""Pages of charges: statement, ledger entries and payment."""

from fastapi import Response

from services.gateway.web.api import segment
from services.gateway.web.page_request import PatronRequest
from services.gateway.web.pages import Pages
from services.gateway.web.session import FlashMessage
from shared.translations import marked

router = Pages(
    messages={
        "paid": marked("Paid: %(paid_cents)s. Thank you."),
        "payment-pending": marked(
            "Your payment of %(paid_cents)s is being processed. It will show here within minutes."
        ),
    },
    problems={
        "no-such-charge": marked("There is no such charge."),
        "nothing-to-pay": marked("Nothing was paid: one of these charges is already settled."),
        "payment-under-way": marked(
            "Another payment is being processed. Please try again in a few minutes."
        ),
        "payment-declined": marked("Your payment was declined. Nothing was taken."),
        "payment-not-received": marked(
            "Your payment did not reach the payment service. Nothing was taken. Please try again "
            "in a few minutes."
        ),
        "no-payment-provider": marked("You can't pay here. Please pay at a library."),
    },
)


@router.get("/charges/{charge_id}")
async def get_charge(request: PatronRequest, charge_id: str) -> Response:
    """Show a charge with its statement and its ledger."""
    charge = (await request.api.get(f"/v1/charges/{segment(charge_id)}")).json()
    return request.page("charges/charge.html", charge=charge)


@router.post("/payments")
async def post_payment(request: PatronRequest) -> Response:
    """Pay the selected charges, each in full."""
    charges = request.texts("charge")
    if not charges:
        return request.go("/", FlashMessage("nothing-chosen", went_well=False))
    reply = await request.send("POST", "/v1/payments", {"charge_ids": charges})
    if not reply.done:
        return request.refused("/", reply)
    payment = reply.json()
    code = "paid" if payment["state"] == "paid" else "payment-pending"
    return request.go("/", FlashMessage(code, {"paid_cents": payment["amount_cents"]}))
