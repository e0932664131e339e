"""Desk pages of copies to fetch for holds. A scan at the return desk makes a hold ready."""

import asyncio
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Response

from services.gateway.web.api import segment
from services.gateway.web.branches import MOST, branch_names
from services.gateway.web.desk import forms
from services.gateway.web.session import FlashMessage
from services.gateway.web.visit import DeskVisit

router = APIRouter(include_in_schema=False)

LONGEST_DELAY = 240
"""Greatest number of minutes before readers are told that an item is ready."""


@router.get("/desk/fetching")
async def get_fetching(visit: DeskVisit, branch: str = "", after: str = "") -> Response:
    """List the copies to fetch in a library: the requested one, or the one of this desk."""
    names = await branch_names(visit.api)
    place = branch or forms.desk_branch(visit, names)
    page: dict[str, Any] = {"items": [], "next": None}
    delay: dict[str, Any] | None = None
    if place:
        query = {"limit": MOST, **({"after": after} if after else {})}
        listed, told = await asyncio.gather(
            visit.api.get(f"/v1/holds/to-fetch/{segment(place)}", **query),
            visit.api.get(f"/v1/branches/{segment(place)}/ready-delay"),
        )
        page, delay = listed.json(), told.json() if told.done else None
    return visit.page(
        "desk/fetching.html",
        branches=names,
        place=place,
        items=sorted(page["items"], key=lambda item: (item["title"], item["barcode"])),
        next=page["next"],
        delay=delay,
        longest=LONGEST_DELAY,
    )


@router.post("/desk/fetching/missing")
async def post_missing(visit: DeskVisit) -> Response:
    """Report that a copy is not on its shelf: its hold gets the next copy, or waits again."""
    barcode, place = visit.text("barcode"), visit.text("branch")
    here = f"/desk/fetching?{urlencode({'branch': place})}"
    reply = await visit.api.send(
        "POST", f"/v1/copies/{segment(barcode)}/removal", {"fault": "missing"}, key=visit.key
    )
    if not reply.done:
        return visit.refused(here, reply)
    return visit.go(here, FlashMessage("copy-missing", {"barcode": barcode}))


@router.post("/desk/fetching/delay")
async def post_delay(visit: DeskVisit) -> Response:
    """Set the minutes after which readers are told that an item is ready here."""
    place = visit.text("branch")
    body = {"minutes": visit.number("minutes")}
    path = f"/v1/branches/{segment(place)}/ready-delay"
    here = f"/desk/fetching?{urlencode({'branch': place})}"
    reply = await visit.api.send("PUT", path, body, key=visit.key)
    if not reply.done:
        return visit.refused(here, reply)
    return visit.go(here, FlashMessage("ready-delay-set", {}))
