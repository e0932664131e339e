"""Desk pages of charges: take cash, waive or refund them, and print or send a receipt."""

import asyncio
from typing import Any

from fastapi import Response

from services.gateway.web import forms
from services.gateway.web.account.desk import PATH, page_of_account, show_account
from services.gateway.web.api import Failure, segment
from services.gateway.web.branches import branch_names
from services.gateway.web.charges.patron import send_receipt
from services.gateway.web.page_request import DeskRequest, PageRequest
from services.gateway.web.pages import Pages
from services.gateway.web.session import FlashMessage
from shared.translations import marked

router = Pages(
    messages={
        "cash-recorded": marked("A payment of %(paid_cents)s in cash is recorded."),
        "cash-with-change": marked(
            "A payment of %(paid_cents)s in cash is recorded. Give %(change_cents)s change."
        ),
        "payment-is-cancelled": marked(
            "The payment of %(paid_cents)s is cancelled. Its charges are to be paid again."
        ),
        "charge-waived": marked("%(waived_cents)s is waived."),
        "bad-amount": marked("Enter an amount in dollars, such as 6.00."),
        "refund-given": marked("%(refunded_cents)s is given back."),
        "refund-pending": marked(
            "The refund of %(refunded_cents)s is being processed. It will show here within minutes."
        ),
    },
    problems={
        "till-closed": marked("The till of this payment is closed. Ask a supervisor to cancel it."),
        "payment-cancelled": marked("This payment was cancelled already."),
        "payment-refunded": marked("This payment was given back, so it can't be cancelled."),
        "payment-not-in-cash": marked("Only a payment in cash can be cancelled."),
        "too-little-given": marked("Less was given than is to be paid of it now."),
        "part-to-confirm": marked(
            "The cash given is less than what is selected. Take the rest, or book it as a part "
            "payment."
        ),
        "reason-to-waive": marked("Enter the reason for which it is waived."),
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
        "bad-amount": ("amount", "taken"),
        "too-little-given": "taken",
        "part-to-confirm": "taken",
        "reason-to-waive": "waived_because",
        "more-than-outstanding": "amount",
    },
    fields={
        "amount": marked("Amount in dollars"),
        "taken": marked("Cash given in dollars (empty: exactly what is selected)"),
        "waived_because": marked("Reason"),
    },
)


OF_REFUND = {"no-payment-provider": "no-provider-for-refund", "no-refund-due": "refunded-already"}


@router.post("/desk/accounts/{patron_id}/payment")
async def post_payment(request: DeskRequest, patron_id: str) -> Response:
    """Record that the selected charges were paid in cash, in full or in part, or waive them."""
    charges = request.texts("charge")
    if not charges:
        return request.go(
            page_of_account(patron_id), FlashMessage("nothing-chosen", went_well=False)
        )
    shown = {one: forms.seen(request, f"cents-{one}") or 0 for one in charges}
    if request.text("do") == "waive":
        return await _waive(request, patron_id, shown)
    typed = {name: forms.cents(request, name) for name in ("taken", "part") if request.text(name)}
    if not all(typed.values()):
        return await show_account(request, patron_id, Failure(422, "bad-amount"))
    whole = sum(shown.values())
    given = typed.get("taken") or typed.get("part") or whole
    paid = typed.get("part") or min(given, whole)
    if given < paid:
        return await show_account(request, patron_id, Failure(422, "too-little-given"))
    if paid < whole and "part" not in typed and request.text("do") != "part":
        refused = Failure(422, "part-to-confirm")
        return await show_account(request, patron_id, refused, left_cents=whole - paid)
    body = {
        "charge_ids": charges,
        "amount_cents": paid,
        "shown_cents": whole,
        **forms.desk_till(request),
    }
    reply = await request.send("POST", f"{PATH}/{segment(patron_id)}/payments", body)
    if not reply.done:
        return await show_account(request, patron_id, forms.refusal(reply))
    payment = reply.json()
    facts = {"paid_cents": payment["amount_cents"], "change_cents": given - paid}
    message = FlashMessage("cash-with-change" if given > paid else "cash-recorded", facts)
    return request.go(f"{page_of_account(patron_id)}?paid={segment(payment['id'])}", message)


async def _waive(request: PageRequest, patron_id: str, shown: dict[str, int]) -> Response:
    reason = request.text("waived_because")
    if not reason:
        return await show_account(request, patron_id, Failure(422, "reason-to-waive"))
    replies = await asyncio.gather(
        *(
            request.api.send(
                "POST",
                f"/v1/charges/{segment(one)}/waiver",
                {"amount_cents": cents, "reason": reason},
                key=request.key_of(one),
            )
            for one, cents in shown.items()
        )
    )
    failed = next((reply for reply in replies if not reply.done), None)
    if failed:
        return await show_account(request, patron_id, forms.refusal(failed))
    message = FlashMessage("charge-waived", {"waived_cents": sum(shown.values())})
    return request.go(page_of_account(patron_id), message)


@router.get("/desk/payments/{payment_id}")
async def get_receipt(request: DeskRequest, payment_id: str) -> Response:
    """Show the receipt of a payment, to be printed, with a form to cancel it."""
    return await _receipt(request, payment_id)


@router.post("/desk/payments/{payment_id}/receipt")
async def post_receipt(request: DeskRequest, payment_id: str) -> Response:
    """Send a reader the receipt of a payment by e-mail."""
    payment = (await request.api.get(f"/v1/payments/{segment(payment_id)}")).json()
    patron = (await request.api.get(f"{PATH}/{segment(payment['patron_id'])}")).json()
    return await send_receipt(request, payment_id, patron["contact"]["email"], "/desk/payments")


@router.post("/desk/payments/{payment_id}/cancellation")
async def post_cancellation(request: DeskRequest, payment_id: str) -> Response:
    """Cancel a payment in cash that was recorded by mistake."""
    path = f"/v1/payments/{segment(payment_id)}/cancellation"
    reply = await request.send("POST", path, {"reason": request.text("reason")})
    if not reply.done:
        return await _receipt(request, payment_id, forms.refusal(reply))
    payment = reply.json()
    message = FlashMessage("payment-is-cancelled", {"paid_cents": payment["amount_cents"]})
    return request.go(page_of_account(payment["patron_id"]), message)


async def _receipt(
    request: PageRequest, payment_id: str, refused: Failure | None = None
) -> Response:
    paid, names = await asyncio.gather(
        request.api.get(f"/v1/payments/{segment(payment_id)}"), branch_names(request.api)
    )
    payment: dict[str, Any] = paid.json()
    path = f"{PATH}/{segment(payment['patron_id'])}"
    found, charges = await asyncio.gather(
        request.api.get(path), request.api.get(f"{path}/charges", open_only="true", limit="200")
    )
    owed = [one["outstanding_cents"] for one in charges.json()["items"]] if charges.done else None
    place, patron = forms.desk_branch(request, names), found.json_or({})
    return request.page(
        "charges/desk-receipt.html",
        payment=payment,
        card_number=patron.get("card_number", ""),
        email=patron.get("contact", {}).get("email"),
        owed=owed and sum(owed),
        library=names.get(place, place),
        **forms.outcome_of(request, refused),
    )


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
    body = {"amount_cents": forms.seen(request, "cents") or 0, **forms.desk_till(request)}
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
