"""Activities: what is on, by type, and recordings of what was."""

from fastapi import APIRouter, Response

from services.gateway.web.api import segment
from services.gateway.web.visit import Anyone, Today
from services.gateway.web.words import ACTIVITY_TYPES

router = APIRouter(include_in_schema=False)


@router.get("/activities")
async def get_activities(
    visit: Anyone,
    today: Today,
    type: str = "",  # noqa: A002 - as in addresses
    after: str = "",
    past: str = "",
) -> Response:
    """What is on from today, the earliest first; with `past`, all that ever was."""
    query = {"type": type, "after": after, "from": "" if past else today.isoformat()}
    asked = await visit.api.get("/v1/activities", **{n: text for n, text in query.items() if text})
    found = asked.json()
    return visit.page(
        "activities.html",
        activities=found["items"],
        next=found["next"],
        type=type,
        past=bool(past),
        types=ACTIVITY_TYPES,
    )


@router.get("/activities/{activity_id}")
async def get_activity(visit: Anyone, activity_id: str) -> Response:
    """An activity; with the way to its recording, once that can be seen."""
    path = f"/v1/activities/{segment(activity_id)}"
    activity = (await visit.api.get(path)).json()
    recording = None
    if activity["recording"] and activity["recording"]["released"]:
        reply = await visit.api.get(f"{path}/recording")
        recording = reply.json()["url"] if reply.done else None
    return visit.page("activity.html", activity=activity, recording=recording)
