"""Desk page of deliveries: what was sent to readers, is held back, or was not sent, and why."""

import asyncio
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Response

from services.gateway.web.api import Failure, segment
from services.gateway.web.desk import forms
from services.gateway.web.desk_words import ABOUT, DELIVERY_CHANNELS, DELIVERY_STATES, UNSENT
from services.gateway.web.fields import filled
from services.gateway.web.visit import DeskVisit, Visit

router = APIRouter(include_in_schema=False)

LISTED = 20


@router.get("/desk/deliveries")
async def get_deliveries(
    visit: DeskVisit, state: str = "", patron: str = "", after: str = ""
) -> Response:
    """List deliveries of a state, or all; those of one reader if named."""
    return await _list(visit, state, patron, after)


@router.post("/desk/deliveries")
async def post_card(visit: DeskVisit) -> Response:
    """Go to the messages of the reader with a card, whose number stays out of the address."""
    patron = await forms.card_holder(visit)
    if isinstance(patron, Failure):
        return await _list(visit, refused=patron)
    return visit.go(f"/desk/deliveries?{urlencode({'patron': patron['id']})}")


async def _list(
    visit: Visit,
    state: str = "",
    patron: str = "",
    after: str = "",
    refused: Failure | None = None,
) -> Response:
    query = {"state": state, "patron": patron, "after": after, "limit": str(LISTED)}
    asked, in_use = await asyncio.gather(
        visit.api.get("/v1/deliveries", **{name: text for name, text in query.items() if text}),
        visit.api.get("/v1/channels"),
    )
    found = asked.json()
    return visit.page(
        "desk/deliveries.html",
        status=refused.status if refused else 200,
        refused=refused,
        form=filled(visit, refused),
        deliveries=found["items"],
        readers=await _readers(visit, found["items"]),
        next=found["next"],
        state=state,
        patron=patron,
        states=DELIVERY_STATES,
        unsent=UNSENT,
        about=ABOUT,
        channels=DELIVERY_CHANNELS,
        off=in_use.done and "email" not in in_use.json()["channels"],
    )


async def _readers(visit: Visit, deliveries: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the readers of these deliveries by id, as far as accounts answers."""
    ids = sorted({one["patron_id"] for one in deliveries if one["patron_id"]})
    replies = await asyncio.gather(
        *(visit.api.get(f"/v1/patrons/{segment(patron_id)}") for patron_id in ids)
    )
    return {
        patron_id: reply.json() for patron_id, reply in zip(ids, replies, strict=True) if reply.done
    }
