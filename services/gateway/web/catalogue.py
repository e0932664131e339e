"""Pages of the catalogue: search, a title with its copies, and reserving."""

import asyncio
from typing import Any

from fastapi import APIRouter, Response

from services.gateway.web.api import Failure, segment
from services.gateway.web.branches import branch_names
from services.gateway.web.fields import filled
from services.gateway.web.session import FlashMessage
from services.gateway.web.visit import Anyone, PatronVisit, Visit

router = APIRouter(include_in_schema=False)


@router.get("/catalogue")
async def get_catalogue(visit: Anyone, q: str = "", after: str = "") -> Response:
    """Show the search form and the titles found."""
    sought = q.strip()[:200]
    found: dict[str, Any] = {"items": [], "next": None}
    if sought:
        query = {"q": sought, **({"after": after} if after else {})}
        found = (await visit.api.get("/v1/titles", **query)).json()
    return visit.page(
        "catalogue.html", q=sought, titles=found["items"], next=found["next"], first=not after
    )


@router.get("/catalogue/{title_id}")
async def get_title(visit: Anyone, title_id: str) -> Response:
    """Show a title with the places of its copies and a form to reserve it."""
    return await _title(visit, title_id)


@router.post("/catalogue/{title_id}")
async def post_hold(visit: PatronVisit, title_id: str) -> Response:
    """Reserve the title."""
    wanted = {
        "title_id": title_id,
        "pickup_branch": visit.text("pickup_branch"),
        "expires_on": visit.text("expires_on") or None,
    }
    reply = await visit.api.send("POST", "/v1/holds", wanted, key=visit.key)
    here = f"/catalogue/{segment(title_id)}"
    if reply.status in (409, 422):
        return await _title(visit, title_id, refused=reply.failure())
    hold = reply.json()
    if hold["position"] is None:
        return visit.go(here, FlashMessage("hold-kept", {}))
    return visit.go(here, FlashMessage("hold-placed", {"position": hold["position"]}))


async def _title(visit: Visit, title_id: str, *, refused: Failure | None = None) -> Response:
    asked, names = await asyncio.gather(
        visit.api.get(f"/v1/titles/{segment(title_id)}"), branch_names(visit.api)
    )
    title = asked.json()
    return visit.page(
        "title.html",
        status=refused.status if refused else 200,
        title=title,
        # Without names it can still be reserved for the libraries that have a copy.
        branches=names or {stock["branch"]: stock["branch"] for stock in title["availability"]},
        refused=refused,
        form=filled(visit, refused),
    )
