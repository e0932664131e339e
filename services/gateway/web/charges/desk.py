"""Desk page of a charge: its statement and entries; waive it, or give a refund."""

from fastapi import Response

from services.gateway.web import forms
from services.gateway.web.account.desk import page_of_account
from services.gateway.web.api import Failure, segment
from services.gateway.web.page_request import DeskRequest, PageRequest
from services.gateway.web.pages import Pages
from services.gateway.web.session import FlashMessage
from shared.translations import marked

router = Pages(
    messages={
        "charge-waived": marked("%(waived_cents)s is waived."),
        "bad-amount": marked("Enter an amount in dollars, such as 6.00."),
        "refund-given": marked("%(refunded_cents)s is given back."),
        "refund-pending": marked(
            "The refund of %(refunded_cents)s is being processed. It will show here within minutes."
        ),
    },
    problems={
        "bad-amount": marked("Enter an amount in dollars, such as 6.00."),
        "more-than-outstanding": marked("This is more than is left to pay of this charge."),
        "amount-changed": marked(
            "The amount has changed meanwhile, so nothing was recorded. Check it, then try again."
        ),
        "refunded-already": marked("No refund is due on this charge any more."),
        "no-provider-for-refund": marked(
            "No payment provider is set up here, so it can't give the refund. Please ask the "
            "operators of the system."
        ),
    },
    at_fault={
        "bad-amount": "amount",
        "more-than-outstanding": "amount",
    },
    fields={"amount": marked("Amount in dollars")},
)


OF_REFUND = {"no-payment-provider": "no-provider-for-refund", "no-refund-due": "refunded-already"}


@router.get("/desk/charges/{charge_id}")
async def get_charge(request: DeskRequest, charge_id: str) -> Response:
    """Show a charge with its statement and entries, and forms to waive it or give a refund."""
    return await _charge(request, charge_id)


@router.post("/desk/charges/{charge_id}")
async def post_waiver(request: DeskRequest, charge_id: str) -> Response:
    """Waive a charge or a part of it."""
    cents = forms.cents(request, "amount")
    if not cents:
        return await _charge(request, charge_id, Failure(422, "bad-amount"))
    body = {"amount_cents": cents, "reason": request.text("reason")}
    path = f"/v1/charges/{segment(charge_id)}/waiver"
    reply = await request.send("POST", path, body)
    if not reply.done:
        return await _charge(request, charge_id, forms.refusal(reply))
    message = FlashMessage("charge-waived", {"waived_cents": cents})
    return request.go(page_of_account(reply.json()["patron_id"]), message)


@router.post("/desk/charges/{charge_id}/refund")
async def post_refund(request: DeskRequest, charge_id: str) -> Response:
    """Give back the refund due on a charge, or record that it was given in cash."""
    path = f"/v1/charges/{segment(charge_id)}/refund"
    body = {"amount_cents": forms.seen(request, "cents") or 0}
    reply = await request.send("POST", path, body)
    if not reply.done:
        return await _charge(request, charge_id, forms.refusal(reply))
    refund = reply.json()
    message = f"refund-{refund['state']}"
    facts = {"refunded_cents": refund["amount_cents"]}
    return request.go(f"/desk/charges/{segment(charge_id)}", FlashMessage(message, facts))


async def _charge(request: PageRequest, charge_id: str, refused: Failure | None = None) -> Response:
    found = (await request.api.get(f"/v1/charges/{segment(charge_id)}")).json()
    shown = forms.outcome_of(request, forms.reworded(refused, OF_REFUND))
    return request.page("charges/desk-charge.html", charge=found, **shown)
