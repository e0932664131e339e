"""Pages of reservations: change, pause and cancel."""

import asyncio
from typing import Any

from fastapi import APIRouter, Response

from services.gateway.web.api import Failure, segment
from services.gateway.web.branches import branch_names
from services.gateway.web.fields import filled
from services.gateway.web.session import FlashMessage
from services.gateway.web.visit import PatronVisit, Visit

router = APIRouter(include_in_schema=False)


@router.get("/holds/{hold_id}")
async def get_hold(visit: PatronVisit, hold_id: str) -> Response:
    """Show a reservation with a form to change it."""
    return await _hold(visit, hold_id)


async def _hold(visit: Visit, hold_id: str, refused: Failure | None = None) -> Response:
    overview, names = await asyncio.gather(visit.api.get("/v1/me"), branch_names(visit.api))
    hold = next((one for one in overview.json()["holds"] if one["id"] == hold_id), None)
    if hold is None:
        raise Failure(404, "no-such-hold", "", [])
    status = refused.status if refused else 200
    return visit.page(
        "hold.html",
        status=status,
        hold=hold,
        branches=names,
        refused=refused,
        form=filled(visit, refused),
    )


@router.post("/holds/{hold_id}")
async def post_hold(visit: PatronVisit, hold_id: str) -> Response:
    """Change the pick-up library, or the last day on which the item is wanted."""
    change: dict[str, Any] = {"expires_on": visit.text("expires_on") or None}
    if visit.text("pickup_branch"):
        change["pickup_branch"] = visit.text("pickup_branch")
    reply = await visit.api.send("PATCH", _path(hold_id), change, key=visit.key)
    if reply.done:
        return visit.go("/", FlashMessage("hold-changed", {}))
    failure = reply.failure()
    if failure.status in (409, 422):
        return await _hold(visit, hold_id, failure)
    raise failure


@router.post("/holds/{hold_id}/pause")
async def post_pause(visit: PatronVisit, hold_id: str) -> Response:
    """Pause a reservation so that others are served first, or resume it."""
    frozen = visit.text("frozen") == "yes"
    reply = await visit.api.send("PATCH", _path(hold_id), {"frozen": frozen}, key=visit.key)
    if not reply.done:
        return visit.refused(f"/holds/{segment(hold_id)}", reply)
    return visit.go("/", FlashMessage("hold-frozen" if frozen else "hold-resumed", {}))


@router.post("/holds/{hold_id}/cancellation")
async def post_cancellation(visit: PatronVisit, hold_id: str) -> Response:
    """Cancel a reservation."""
    reply = await visit.api.send("DELETE", _path(hold_id), key=visit.key)
    if not reply.done:
        return visit.refused("/", reply)
    return visit.go("/", FlashMessage("hold-cancelled", {}))


def _path(hold_id: str) -> str:
    return f"/v1/holds/{segment(hold_id)}"
