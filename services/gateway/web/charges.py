"""Pages of charges: statement, ledger entries and payment."""

from fastapi import APIRouter, Response

from services.gateway.web.api import segment
from services.gateway.web.session import FlashMessage
from services.gateway.web.visit import PatronVisit

router = APIRouter(include_in_schema=False)


@router.get("/charges/{charge_id}")
async def get_charge(visit: PatronVisit, charge_id: str) -> Response:
    """Show a charge with its statement and its ledger."""
    charge = (await visit.api.get(f"/v1/charges/{segment(charge_id)}")).json()
    return visit.page("charge.html", charge=charge)


@router.post("/payments")
async def post_payment(visit: PatronVisit) -> Response:
    """Pay the selected charges, each in full."""
    charges = visit.texts("charge")
    if not charges:
        return visit.go("/", FlashMessage("nothing-chosen", {}, went_well=False))
    reply = await visit.api.send("POST", "/v1/payments", {"charge_ids": charges}, key=visit.key)
    if not reply.done:
        return visit.refused("/", reply)
    payment = reply.json()
    code = "paid" if payment["state"] == "paid" else "payment-pending"
    return visit.go("/", FlashMessage(code, {"paid_cents": payment["amount_cents"]}))
