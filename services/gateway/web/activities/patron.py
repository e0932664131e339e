"""Pages of activities: the list by type, registration, and recordings."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from fastapi import Response

from services.gateway.web.api import segment
from services.gateway.web.branches import branch_names
from services.gateway.web.languages import worded
from services.gateway.web.page_request import Anyone, PageRequest, PatronRequest, Today
from services.gateway.web.pages import Pages
from services.gateway.web.session import FlashMessage
from services.gateway.web.words import ACTIVITY_TYPES
from shared.http.dependencies import BusinessTime
from shared.translations import marked

router = Pages(
    menus={"anyone": [("/activities", marked("Activities"))]},
    messages={
        "registered": marked("You have a place."),
        "waitlisted": marked(
            "All places are taken. You're number %(position)s on the waiting list. We'll "
            "tell you when you get a place."
        ),
        "withdrawn": marked("You're no longer registered."),
    },
    problems={
        "no-such-activity": marked("There is no such activity."),
        "outside-ages": marked(
            "On the day of this activity you are younger or older than those whom it is for."
        ),
        "no-registration-needed": marked("You don't need to register. Everybody is welcome."),
        "already-registered": marked("You've already registered for this activity."),
        "activity-cancelled": marked("This activity is cancelled."),
        "not-registered": marked("There is no registration of this card for this activity."),
        "activity-begun": marked(
            "This activity has begun. You can no longer register or withdraw."
        ),
    },
)


AUDIENCES = {
    "everyone": marked("Everyone"),
    "children": marked("Children"),
    "young-adults": marked("Young adults"),
    "adults": marked("Adults"),
    "seniors": marked("Seniors"),
    "families": marked("Families"),
}
"""Names of the groups that an activity is meant for."""

SPOKEN = {
    "yue": marked("Cantonese"),
    "cmn": marked("Putonghua"),
    "en": marked("English"),
}
"""Names of the languages that most activities are held in, by BCP 47. Others show their codes."""


@router.get("/activities")
async def get_activities(
    request: Anyone,
    today: Today,
    type: str = "",  # noqa: A002 - as in addresses
    after: str = "",
    past: str = "",
) -> Response:
    """List the activities from today on, the earliest first; with `past`, include all past ones."""
    query = {"type": type, "after": after, "from": "" if past else today.isoformat()}
    asked, names = await asyncio.gather(
        request.api.get("/v1/activities", **{n: text for n, text in query.items() if text}),
        branch_names(request.api),
    )
    found = asked.json()
    return request.page(
        "activities/activities.html",
        activities=[worded(one, request.language.code) for one in found["items"]],
        next=found["next"],
        branches=names,
        type=type,
        past=bool(past),
        types=ACTIVITY_TYPES,
    )


@router.get("/activities/{activity_id}")
async def get_activity(request: Anyone, activity_id: str, now: BusinessTime) -> Response:
    """Show an activity with its places and, once it is released, a link to its recording."""
    path = _path(activity_id)
    asked, registration, names = await asyncio.gather(
        request.api.get(path), _registration(request, activity_id), branch_names(request.api)
    )
    activity = worded(asked.json(), request.language.code)
    recording = None
    if activity["recording"] and activity["recording"]["released"]:
        reply = await request.api.get(f"{path}/recording")
        recording = reply.json()["url"] if reply.done else None
    return request.page(
        "activities/activity.html",
        activity=activity,
        recording=recording,
        registration=registration,
        branches=names,
        begun=datetime.fromisoformat(activity["starts_at"]) <= now,
        audiences=AUDIENCES,
        spoken=SPOKEN,
        linked_data=linked_data(request, activity, names),
    )


@router.post("/activities/{activity_id}/registration")
async def post_registration(request: PatronRequest, activity_id: str) -> Response:
    """Register the patron: with a place, or on the waiting list."""
    path = f"{_path(activity_id)}/registration"
    reply = await request.send("POST", path)
    here = f"/activities/{segment(activity_id)}"
    if not reply.done:
        return request.refused(here, reply)
    position = reply.json()["position"]
    if position is None:
        return request.go(here, "registered")
    return request.go(here, FlashMessage("waitlisted", {"position": position}))


@router.post("/activities/{activity_id}/withdrawal")
async def post_withdrawal(request: PatronRequest, activity_id: str) -> Response:
    """Cancel the patron's registration, or their place on the waiting list."""
    path = f"{_path(activity_id)}/registration"
    reply = await request.send("DELETE", path)
    here = f"/activities/{segment(activity_id)}"
    # A patron who has withdrawn in another window already has what they want.
    if reply.done or reply.failure().code == "not-registered":
        return request.go(here, "withdrawn")
    return request.refused(here, reply)


async def _registration(request: PageRequest, activity_id: str) -> Any:
    """Return the visitor's own registration, None if there is none."""
    if not request.is_patron:
        return None
    reply = await request.api.get(f"{_path(activity_id)}/registration")
    return None if reply.status == 404 else reply.json()


def _path(activity_id: str) -> str:
    return f"/v1/activities/{segment(activity_id)}"


_SCHEMA_TYPES = {
    "exhibition": "ExhibitionEvent",
    "talk": "EducationEvent",
    "workshop": "EducationEvent",
}


def linked_data(
    request: PageRequest, activity: Mapping[str, Any], branches: Mapping[str, str]
) -> dict[str, Any]:
    """Return the schema.org Event of an activity, without what is not known."""
    took_place = "EventCancelled" if activity["cancelled_at"] else "EventScheduled"
    place = {"@type": "Place", "name": activity["venue"], "address": None}
    if activity["branch"]:
        place["address"] = branches.get(activity["branch"], activity["branch"])
    audience = _known(
        {
            "@type": "PeopleAudience",
            "audienceType": request.language.say(AUDIENCES.get(activity["audience"] or "", "")),
            "suggestedMinAge": activity["minimum_age"],
            "suggestedMaxAge": activity["maximum_age"],
        }
    )
    speaker = activity["speaker"]
    return _known(
        {
            "@context": "https://schema.org",
            "@type": _SCHEMA_TYPES.get(activity["type"], "Event"),
            "name": activity["title"],
            "description": activity["abstract"],
            "startDate": _local(request, activity["starts_at"]),
            "endDate": _local(request, activity["ends_at"]) if activity["ends_at"] else None,
            "eventStatus": f"https://schema.org/{took_place}",
            "location": _known(place),
            "inLanguage": activity["languages"],
            "organizer": {"@type": "Organization", "name": activity["organiser"]},
            "performer": {"@type": "Person", "name": speaker} if speaker else None,
            "audience": audience if len(audience) > 1 else None,
            "maximumAttendeeCapacity": activity["places"],
            "remainingAttendeeCapacity": activity["places_left"],
        }
    )


def _local(request: PageRequest, instant: str) -> str:
    return datetime.fromisoformat(instant).astimezone(request.zone).isoformat()


def _known(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value not in (None, "", [])}
