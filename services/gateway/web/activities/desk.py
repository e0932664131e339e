"""Desk pages of activities: publish one, change it, register readers, and record who attends."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from fastapi import Response

from services.gateway.web import forms
from services.gateway.web.activities.patron import AUDIENCES, SPOKEN
from services.gateway.web.api import Failure, Reply, segment
from services.gateway.web.branches import branch_names
from services.gateway.web.languages import LANGUAGES
from services.gateway.web.page_request import DeskRequest, PageRequest
from services.gateway.web.pages import Pages
from services.gateway.web.words import ACTIVITY_TYPES, AT_DESK
from shared.translations import marked

router = Pages(
    messages={
        "activity-published": marked("The activity is published."),
        "activity-changed": marked("The activity is changed."),
    },
    problems={
        "ends-before-it-starts": marked("An activity has to end after it starts."),
        "ages-reversed": marked("The lowest age can't be above the highest."),
        "fewer-places": marked("An activity can be given more places, not fewer."),
        "on-waiting-list": marked("This reader is on the waiting list and has no place."),
        "not-its-day": marked("The day of this activity has not come yet."),
    },
    at_fault={
        "ends-before-it-starts": "ends_at",
        "ages-reversed": "minimum_age",
        "fewer-places": "places",
    },
    fields={
        "type": marked("Type"),
        "venue": marked("Venue"),
        "starts_at": marked("Begins"),
        "ends_at": marked("Ends"),
        "speaker": marked("Speaker"),
        "organiser": marked("Organiser"),
        "languages": marked("Held in"),
        "enquiries": marked("Telephone for enquiries"),
        "abstract": marked("Abstract"),
        "remarks": marked("Remarks"),
        "audience": marked("Meant for"),
        "minimum_age": marked("Lowest age"),
        "maximum_age": marked("Highest age"),
    },
)


_TEXTS = ("title", "venue", "abstract")
"""Fields that have a text in each language."""
_NEW_ONLY = ("type", "speaker", "organiser", "enquiries")
_NUMBERS = ("minimum_age", "maximum_age", "places")


@router.get("/desk/activities/new")
async def get_new_activity(request: DeskRequest) -> Response:
    """Show the form for an activity."""
    return await _form(request, None)


@router.post("/desk/activities/new")
async def post_new_activity(request: DeskRequest) -> Response:
    """Publish an activity, and go to its page."""
    body = _typed(request) | {name: request.text(name) or None for name in _NEW_ONLY}
    reply = await request.send("POST", "/v1/activities", body)
    if not reply.done:
        return await _form(request, None, reply)
    return request.go(f"/activities/{reply.json()['id']}", "activity-published")


@router.get("/desk/activities/{activity_id}")
async def get_activity(request: DeskRequest, activity_id: str) -> Response:
    """Show an activity in the form to change it."""
    return await _form(request, await _activity(request, activity_id))


@router.post("/desk/activities/{activity_id}")
async def post_activity(request: DeskRequest, activity_id: str) -> Response:
    """Change an activity, and go to its page."""
    reply = await request.send("PATCH", _path(activity_id), _typed(request))
    if not reply.done:
        return await _form(request, await _activity(request, activity_id), reply)
    return request.go(f"/activities/{segment(activity_id)}", "activity-changed")


@router.post("/desk/activities/{activity_id}/attendance")
async def post_attendance(request: DeskRequest, activity_id: str) -> Response:
    """Record that the holder of a card came. The page shows the result, ready for the next card."""
    return await _attend(request, activity_id)


@router.post("/desk/activities/{activity_id}/attendance/withdrawal")
async def post_attendance_withdrawal(request: DeskRequest, activity_id: str) -> Response:
    """Withdraw the attendance of the holder of a card, as recorded in error."""
    return await _attend(request, activity_id, withdrawn=True)


@router.post("/desk/activities/{activity_id}/registration")
async def post_registration(request: DeskRequest, activity_id: str) -> Response:
    """Register the holder of a card; one who is at the door attends too, if there is a place."""
    activity, patron = await asyncio.gather(
        _activity(request, activity_id), forms.card_holder(request)
    )
    if isinstance(patron, Failure):
        return await _form(request, activity, not_attended=patron)
    path = f"/v1/patrons/{segment(patron['id'])}/registrations"
    reply = await request.send("POST", path, {"activity_id": activity_id})
    if not reply.done:
        refused = forms.reworded(forms.refusal(reply), AT_DESK)
        return await _form(request, activity, not_attended=refused)
    registered = {"id": patron["id"], "name": patron["name"], "position": reply.json()["position"]}
    if request.text("came") and registered["position"] is None:
        key = request.key_of("attendance")
        path = f"{_path(activity_id)}/attendance"
        came = await request.api.send("POST", path, {"patron_id": patron["id"]}, key=key)
        if came.done:
            return await _form(request, activity, attended=_attended(request, patron, came))
    return await _form(request, activity, registered=registered)


def _attended(request: PageRequest, patron: Mapping[str, Any], reply: Reply) -> dict[str, Any]:
    return {
        "name": patron["name"],
        "card_number": request.text("card_number"),
        "at": reply.json()["attended_at"],
    }


async def _attend(request: PageRequest, activity_id: str, *, withdrawn: bool = False) -> Response:
    activity, patron = await asyncio.gather(
        _activity(request, activity_id), forms.card_holder(request)
    )
    if isinstance(patron, Failure):
        return await _form(request, activity, not_attended=patron)
    path = f"{_path(activity_id)}/attendance"
    if withdrawn:
        path = f"{path}/{segment(patron['id'])}"
        reply = await request.send("DELETE", path)
    else:
        reply = await request.send("POST", path, {"patron_id": patron["id"]})
    if not reply.done:
        return await _form(request, activity, not_attended=forms.refusal(reply))
    return await _form(request, activity, attended=_attended(request, patron, reply))


def _typed(request: PageRequest) -> dict[str, Any]:
    """Return the fields that both forms have, in the API's form."""
    wordings = {
        code: {name: request.text(f"{name}-{code}") for name in _TEXTS} for code in LANGUAGES
    }
    return {
        "title": request.text("title"),
        "venue": request.text("venue"),
        "branch": request.text("branch") or None,
        "starts_at": forms.instant(request, "starts") or "",
        "ends_at": forms.instant(request, "ends"),
        "abstract": request.text("abstract") or None,
        "remarks": request.text("remarks") or None,
        "languages": request.texts("languages"),
        "audience": request.text("audience") or None,
        **{name: request.number(name) for name in _NUMBERS},
        "wordings": {
            code: {name: text or None for name, text in texts.items()}
            for code, texts in wordings.items()
            if any(texts.values())
        },
    }


def _shown(request: PageRequest, activity: dict[str, Any]) -> dict[str, Any]:
    """Return the values with which the form of an activity begins."""
    values = {
        name: activity[name] for name in (*_TEXTS, *_NUMBERS, "branch", "remarks", "audience")
    }
    for name, at in (("starts", activity["starts_at"]), ("ends", activity["ends_at"])):
        here = datetime.fromisoformat(at).astimezone(request.zone) if at else None
        values[f"{name}_on"] = here.date().isoformat() if here else None
        values[f"{name}_time"] = f"{here:%H:%M}" if here else None
    for code, texts in activity["wordings"].items():
        values |= {f"{name}-{code}": text for name, text in texts.items()}
    return values


def _path(activity_id: str) -> str:
    return f"/v1/activities/{segment(activity_id)}"


async def _activity(request: PageRequest, activity_id: str) -> dict[str, Any]:
    found: dict[str, Any] = (await request.api.get(_path(activity_id))).json()
    return found


async def _attendance(
    request: PageRequest, activity: dict[str, Any] | None
) -> dict[str, int] | None:
    """Return the numbers of an activity; None if nobody has to register."""
    if activity is None or activity["places"] is None:
        return None
    found: dict[str, int] = (await request.api.get(f"{_path(activity['id'])}/attendance")).json()
    return found


async def _form(
    request: PageRequest,
    activity: dict[str, Any] | None,
    refused: Reply | None = None,
    *,
    attended: dict[str, Any] | None = None,
    registered: dict[str, Any] | None = None,
    not_attended: Failure | None = None,
) -> Response:
    outcome = forms.outcome(request, refused)
    if not_attended is not None:
        outcome["status"] = not_attended.status
    languages = activity["languages"] if activity else []
    names, attendance = await asyncio.gather(
        branch_names(request.api), _attendance(request, activity)
    )
    return request.page(
        "activities/desk-activity.html",
        activity=activity,
        values=_shown(request, activity)
        if activity
        else {"branch": forms.desk_branch(request, names)},
        held_in=request.texts("languages") if refused else languages,
        branches=names,
        attendance=attendance,
        attended=attended,
        registered=registered,
        not_attended=not_attended,
        card=forms.scanned(request, not_attended),
        types=ACTIVITY_TYPES,
        audiences=AUDIENCES,
        spoken={**SPOKEN, **{code: code for code in languages if code not in SPOKEN}},
        languages=LANGUAGES,
        **outcome,
    )
