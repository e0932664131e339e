"""Pages of the catalogue: search, a title with its copies, and reserving."""

import asyncio
from typing import Any

from fastapi import APIRouter, Response

from services.gateway.web.api import Failure, segment
from services.gateway.web.branches import branch_names, home_branch, names_of
from services.gateway.web.family import member_names, no_members, of_member
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
    """Reserve the title, for the visitor or for a patron whose card is linked with theirs."""
    wanted = {
        "title_id": title_id,
        "pickup_branch": visit.text("pickup_branch"),
        "expires_on": visit.text("expires_on") or None,
        "patron_id": visit.text("patron_id") or None,
    }
    reply = await visit.api.send("POST", "/v1/holds", wanted, key=visit.key)
    here = f"/catalogue/{segment(title_id)}"
    if reply.status in (409, 422):
        refused = of_member(reply.failure()) if wanted["patron_id"] else reply.failure()
        return await _title(visit, title_id, refused=refused)
    if wanted["patron_id"] and not reply.done and reply.failure().code == "no-such-patron":
        return visit.go(here, FlashMessage("not-linked", {}, went_well=False))
    hold = reply.json()
    if wanted["patron_id"]:
        return visit.go(here, FlashMessage("member-hold-placed", {}))
    if hold["position"] is None:
        return visit.go(here, FlashMessage("hold-kept", {}))
    return visit.go(here, FlashMessage("hold-placed", {"position": hold["position"]}))


async def _title(visit: Visit, title_id: str, *, refused: Failure | None = None) -> Response:
    is_patron = visit.caller is not None and "patron" in visit.caller.roles
    asked, names, home, members = await asyncio.gather(
        visit.api.get(f"/v1/titles/{segment(title_id)}"),
        branch_names(visit.api),
        home_branch(visit),
        member_names(visit.api) if is_patron else no_members(),
    )
    title = asked.json()
    order = list(names_of((stock["branch"] for stock in title["availability"]), names))
    title["availability"].sort(key=lambda stock: order.index(stock["branch"]))
    return visit.page(
        "title.html",
        status=refused.status if refused else 200,
        title=title,
        # Without names it can still be reserved for the libraries that have a copy.
        branches=names or {stock["branch"]: stock["branch"] for stock in title["availability"]},
        home=home,
        members=members,
        refused=refused,
        form=filled(visit, refused),
    )
