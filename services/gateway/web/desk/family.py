"""Desk page to link the card of a junior with that of a guardian, who agrees to it there."""

from fastapi import APIRouter, Response

from services.gateway.web.api import Failure, segment
from services.gateway.web.desk import forms
from services.gateway.web.fields import filled
from services.gateway.web.session import FlashMessage
from services.gateway.web.visit import DeskVisit, Visit

router = APIRouter(include_in_schema=False)


@router.get("/desk/family")
async def get_family(visit: DeskVisit) -> Response:
    """Show the form with the two cards."""
    return _page(visit)


@router.post("/desk/family")
async def post_family(visit: DeskVisit) -> Response:
    """Link the two cards, once the guardian's agreement was ticked."""
    if not visit.text("agreed"):
        return _page(visit, Failure(422, "guardian-not-asked", "", []))
    junior = await forms.card_holder(visit)
    if isinstance(junior, Failure):
        return _page(visit, junior)
    path = f"/v1/patrons/{segment(junior['id'])}/family"
    body = {"card_number": visit.text("guardian_card_number")}
    reply = await visit.api.send("POST", path, body, key=visit.key)
    if reply.done:
        return visit.go("/desk/family", FlashMessage("junior-linked", {}))
    refused = forms.refusal(reply)
    if refused and (refused.fields or refused.code == "no-such-patron"):
        refused = Failure(404, "no-such-guardian", "", [])
    return _page(visit, refused)


def _page(visit: Visit, refused: Failure | None = None) -> Response:
    return visit.page(
        "desk/family.html",
        status=refused.status if refused else 200,
        refused=refused,
        form=filled(visit, refused),
    )
