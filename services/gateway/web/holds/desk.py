"""Desk pages of copies to fetch for holds. A scan at the return desk makes a hold ready."""

import asyncio
from typing import Any
from urllib.parse import urlencode

from fastapi import Response

from services.gateway.web import forms
from services.gateway.web.api import segment
from services.gateway.web.branches import MOST, branch_names
from services.gateway.web.page_request import DeskRequest
from services.gateway.web.pages import Pages
from services.gateway.web.session import FlashMessage
from shared.translations import marked

router = Pages(
    menus={"staff": [("/desk/fetching", marked("Fetch"))]},
    messages={
        "copy-missing": marked(
            "%(barcode)s is recorded as lost. Its reservation gets the next copy, or waits again."
        ),
        "ready-delay-set": marked("The time until readers are told is saved."),
    },
)


LONGEST_DELAY = 240
"""Greatest number of minutes before readers are told that an item is ready."""


@router.get("/desk/fetching")
async def get_fetching(request: DeskRequest, branch: str = "", after: str = "") -> Response:
    """List the copies to fetch in a library: the requested one, or the one of this desk."""
    names = await branch_names(request.api)
    place = branch or forms.desk_branch(request, names)
    page: dict[str, Any] = {"items": [], "next": None}
    delay: dict[str, Any] | None = None
    if place:
        query = {"limit": MOST, **({"after": after} if after else {})}
        listed, waiting = await asyncio.gather(
            request.api.get(f"/v1/holds/to-fetch/{segment(place)}", **query),
            request.api.get(f"/v1/branches/{segment(place)}/ready-delay"),
        )
        page, delay = listed.json(), waiting.json() if waiting.done else None
    return request.page(
        "holds/desk-fetching.html",
        branches=names,
        place=place,
        items=sorted(page["items"], key=lambda item: (item["title"], item["barcode"])),
        next=page["next"],
        delay=delay,
        longest=LONGEST_DELAY,
    )


@router.post("/desk/fetching/missing")
async def post_missing(request: DeskRequest) -> Response:
    """Report that a copy is not on its shelf: its hold gets the next copy, or waits again."""
    barcode, place = request.text("barcode"), request.text("branch")
    here = f"/desk/fetching?{urlencode({'branch': place})}"
    reply = await request.send(
        "POST", f"/v1/copies/{segment(barcode)}/removal", {"fault": "missing"}
    )
    if not reply.done:
        return request.refused(here, reply)
    return request.go(here, FlashMessage("copy-missing", {"barcode": barcode}))


@router.post("/desk/fetching/delay")
async def post_delay(request: DeskRequest) -> Response:
    """Set the minutes after which readers are told that an item is ready here."""
    place = request.text("branch")
    body = {"minutes": request.number("minutes")}
    path = f"/v1/branches/{segment(place)}/ready-delay"
    here = f"/desk/fetching?{urlencode({'branch': place})}"
    reply = await request.send("PUT", path, body)
    if not reply.done:
        return request.refused(here, reply)
    return request.go(here, "ready-delay-set")
