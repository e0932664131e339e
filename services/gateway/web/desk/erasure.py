"""Desk page to erase a patron: find them by card, see what is still open, and confirm."""

from typing import Any

import orjson
from fastapi import APIRouter, Response

from services.gateway.web.api import Failure, Reply, segment
from services.gateway.web.desk import forms
from services.gateway.web.fields import filled
from services.gateway.web.session import FlashMessage
from services.gateway.web.visit import DeskVisit, Visit

router = APIRouter(include_in_schema=False)


@router.get("/desk/erasure")
async def get_erasure(visit: DeskVisit) -> Response:
    """Show the form to find a patron by their card."""
    return _page(visit)


@router.post("/desk/erasure")
async def post_erasure(visit: DeskVisit) -> Response:
    """Show the card's holder for confirmation; erase the one who was confirmed."""
    patron = await forms.card_holder(visit)
    if isinstance(patron, Failure):
        return _page(visit, refused=patron)
    if visit.text("patron_id") != patron["id"]:
        return _page(visit, patron=patron)
    path = f"/v1/patrons/{segment(patron['id'])}"
    reply = await visit.api.send("DELETE", path, key=visit.key)
    if reply.done:
        return visit.go("/desk/erasure", FlashMessage("patron-erased", {}))
    return _page(visit, patron=patron, refused=forms.refusal(reply), reply=reply)


def _page(
    visit: Visit,
    *,
    patron: dict[str, Any] | None = None,
    refused: Failure | None = None,
    reply: Reply | None = None,
) -> Response:
    not_settled = reply is not None and refused is not None and refused.code == "not-settled"
    return visit.page(
        "desk/erasure.html",
        status=refused.status if refused else 200,
        patron=patron,
        refused=refused,
        form=filled(visit, refused),
        still_open=orjson.loads(reply.content) if reply and not_settled else None,
    )
