"""Pages of activities: the list by type, registration, and recordings."""

import asyncio
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Response

from services.gateway.web import linked_data
from services.gateway.web.api import segment
from services.gateway.web.branches import branch_names
from services.gateway.web.languages import worded
from services.gateway.web.session import FlashMessage
from services.gateway.web.visit import Anyone, PatronVisit, Today, Visit
from services.gateway.web.words import ACTIVITY_TYPES, AUDIENCES, SPOKEN
from shared.http.dependencies import BusinessTime

router = APIRouter(include_in_schema=False)


@router.get("/activities")
async def get_activities(
    visit: Anyone,
    today: Today,
    type: str = "",  # noqa: A002 - as in addresses
    after: str = "",
    past: str = "",
) -> Response:
    """List the activities from today on, the earliest first; with `past`, include all past ones."""
    query = {"type": type, "after": after, "from": "" if past else today.isoformat()}
    asked, names = await asyncio.gather(
        visit.api.get("/v1/activities", **{n: text for n, text in query.items() if text}),
        branch_names(visit.api),
    )
    found = asked.json()
    return visit.page(
        "activities.html",
        activities=[worded(one, visit.language.code) for one in found["items"]],
        next=found["next"],
        branches=names,
        type=type,
        past=bool(past),
        types=ACTIVITY_TYPES,
    )


@router.get("/activities/{activity_id}")
async def get_activity(visit: Anyone, activity_id: str, now: BusinessTime) -> Response:
    """Show an activity with its places and, once it is released, a link to its recording."""
    path = _path(activity_id)
    asked, registration, names = await asyncio.gather(
        visit.api.get(path), _registration(visit, activity_id), branch_names(visit.api)
    )
    activity = worded(asked.json(), visit.language.code)
    recording = None
    if activity["recording"] and activity["recording"]["released"]:
        reply = await visit.api.get(f"{path}/recording")
        recording = reply.json()["url"] if reply.done else None
    return visit.page(
        "activity.html",
        activity=activity,
        recording=recording,
        registration=registration,
        branches=names,
        begun=datetime.fromisoformat(activity["starts_at"]) <= now,
        audiences=AUDIENCES,
        spoken=SPOKEN,
        linked_data=linked_data.event(visit, activity, names),
    )


@router.post("/activities/{activity_id}/registration")
async def post_registration(visit: PatronVisit, activity_id: str) -> Response:
    """Register the patron: with a place, or on the waiting list."""
    path = f"{_path(activity_id)}/registration"
    reply = await visit.api.send("POST", path, key=visit.key)
    here = f"/activities/{segment(activity_id)}"
    if not reply.done:
        return visit.refused(here, reply)
    position = reply.json()["position"]
    if position is None:
        return visit.go(here, FlashMessage("registered", {}))
    return visit.go(here, FlashMessage("waitlisted", {"position": position}))


@router.post("/activities/{activity_id}/withdrawal")
async def post_withdrawal(visit: PatronVisit, activity_id: str) -> Response:
    """Cancel the patron's registration, or their place on the waiting list."""
    path = f"{_path(activity_id)}/registration"
    reply = await visit.api.send("DELETE", path, key=visit.key)
    here = f"/activities/{segment(activity_id)}"
    # A patron who has withdrawn in another window already has what they want.
    if reply.done or reply.failure().code == "not-registered":
        return visit.go(here, FlashMessage("withdrawn", {}))
    return visit.refused(here, reply)


async def _registration(visit: Visit, activity_id: str) -> Any:
    """Return the visitor's own registration, None if there is none."""
    if visit.caller is None or "patron" not in visit.caller.roles:
        return None
    reply = await visit.api.get(f"{_path(activity_id)}/registration")
    return None if reply.status == 404 else reply.json()


def _path(activity_id: str) -> str:
    return f"/v1/activities/{segment(activity_id)}"
