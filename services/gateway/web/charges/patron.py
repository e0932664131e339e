"""Pages of charges: statement, ledger entries, payment and receipts."""

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from fastapi import Response

from services.gateway.web.api import segment
from services.gateway.web.page_request import PageRequest, PatronRequest
from services.gateway.web.pages import Pages
from services.gateway.web.session import FlashMessage
from shared.ids import new_id
from shared.translations import marked

router = Pages(
    messages={
        "paid": marked("Paid: %(paid_cents)s. Thank you."),
        "payment-left": marked("Nothing was paid."),
        "payment-receipt-sent": marked("The receipt of this payment is sent by e-mail."),
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
        "no-receipt": marked("Only a payment that is complete and not cancelled has a receipt."),
        "receipt-without-address": marked(
            "There is no confirmed e-mail address to send it to. Add one, or print the receipt."
        ),
    },
)


@router.get("/charges/{charge_id}")
async def get_charge(request: PatronRequest, charge_id: str) -> Response:
    """Show a charge with its statement and its ledger."""
    charge = (await request.api.get(f"/v1/charges/{segment(charge_id)}")).json()
    return request.page("charges/charge.html", charge=charge)


@router.get("/payments")
async def get_payments(request: PatronRequest, after: str = "") -> Response:
    """List the patron's payments, each with its receipt."""
    query = {"after": after} if after else {}
    reply = await request.api.get("/v1/me/payments", limit="50", **query)
    return request.page("charges/payments.html", payments=reply.json())


@router.get("/payments/{payment_id}")
async def get_receipt(request: PatronRequest, payment_id: str, returned: str = "") -> Response:
    """Show the receipt of a payment, to be printed or saved, or the way to its page.

    Who comes back from the page of the provider has `returned`, and sees what happened there.
    """
    path = f"/v1/payments/{segment(payment_id)}"
    if returned:
        await request.api.send("POST", f"{path}/page", key=new_id())
    paid, card, contact = await asyncio.gather(
        request.api.get(path), request.api.get("/v1/me/card"), request.api.get("/v1/me/contact")
    )
    payment = paid.json()
    if payment["state"] == "pending":
        page = urlsplit(payment["page_url"] or "").hostname
        return request.page("charges/pending.html", payment=payment, host=page)
    if payment["state"] in ("declined", "not-received"):
        return request.go("/", FlashMessage(f"payment-{payment['state']}", went_well=False))
    number = card.json()["card_number"] if card.done else ""
    address = contact.json()["email"] if contact.done else None
    return request.page("charges/payment.html", payment=payment, card_number=number, email=address)


@router.post("/payments/{payment_id}/receipt")
async def post_receipt(request: PatronRequest, payment_id: str) -> Response:
    """Send the patron the receipt of a payment by e-mail."""
    contact = (await request.api.get("/v1/me/contact")).json()
    return await send_receipt(request, payment_id, contact["email"], "/payments")


async def send_receipt(
    request: PageRequest, payment_id: str, address: str | None, pages: str
) -> Response:
    """Send the receipt of a payment, if its patron has an address; go back to it in `pages`."""
    here = f"{pages}/{segment(payment_id)}"
    if not address:
        return request.go(here, FlashMessage("receipt-without-address", went_well=False))
    reply = await request.send("POST", f"/v1/payments/{segment(payment_id)}/receipt")
    return request.go(here, "payment-receipt-sent") if reply.done else request.refused(here, reply)


@router.post("/payments/{payment_id}/close")
async def close_page(request: PatronRequest, payment_id: str) -> Response:
    """Leave the provider's page of a payment unpaid."""
    path = f"/v1/payments/{segment(payment_id)}"
    reply = await request.send("DELETE", f"{path}/page")
    if not reply.done:
        return request.refused(f"/payments/{segment(payment_id)}", reply)
    return request.go("/", _ended(reply.json()))


def _ended(payment: Mapping[str, Any]) -> FlashMessage:
    code = {"paid": "paid", "declined": "payment-left"}.get(payment["state"], "payment-pending")
    return FlashMessage(code, {"paid_cents": payment["amount_cents"]})


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
    if payment["page_url"]:
        return request.go(f"/payments/{segment(payment['id'])}")
    return request.go("/", _ended(payment))
