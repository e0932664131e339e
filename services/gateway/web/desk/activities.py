"""Desk pages of activities: publish one, change it, and record who attends."""

import asyncio
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Response

from services.gateway.web.api import Failure, Reply, segment
from services.gateway.web.branches import branch_names
from services.gateway.web.desk import forms
from services.gateway.web.languages import LANGUAGES
from services.gateway.web.session import FlashMessage
from services.gateway.web.visit import DeskVisit, Visit
from services.gateway.web.words import ACTIVITY_TYPES, AUDIENCES, SPOKEN

router = APIRouter(include_in_schema=False)

_TEXTS = ("title", "venue", "abstract")
"""Fields that have a text in each language."""
_NEW_ONLY = ("type", "speaker", "organiser", "enquiries")
_NUMBERS = ("minimum_age", "maximum_age", "places")


@router.get("/desk/activities/new")
async def get_new_activity(visit: DeskVisit) -> Response:
    """Show the form for an activity."""
    return await _form(visit, None)


@router.post("/desk/activities/new")
async def post_new_activity(visit: DeskVisit) -> Response:
    """Publish an activity, and go to its page."""
    body = _typed(visit) | {name: visit.text(name) or None for name in _NEW_ONLY}
    reply = await visit.api.send("POST", "/v1/activities", body, key=visit.key)
    if not reply.done:
        return await _form(visit, None, reply)
    return visit.go(f"/activities/{reply.json()['id']}", FlashMessage("activity-published", {}))


@router.get("/desk/activities/{activity_id}")
async def get_activity(visit: DeskVisit, activity_id: str) -> Response:
    """Show an activity in the form to change it."""
    return await _form(visit, await _activity(visit, activity_id))


@router.post("/desk/activities/{activity_id}")
async def post_activity(visit: DeskVisit, activity_id: str) -> Response:
    """Change an activity, and go to its page."""
    reply = await visit.api.send("PATCH", _path(activity_id), _typed(visit), key=visit.key)
    if not reply.done:
        return await _form(visit, await _activity(visit, activity_id), reply)
    return visit.go(f"/activities/{segment(activity_id)}", FlashMessage("activity-changed", {}))


@router.post("/desk/activities/{activity_id}/attendance")
async def post_attendance(visit: DeskVisit, activity_id: str) -> Response:
    """Record that the holder of a card came. The page shows the result, ready for the next card."""
    return await _attend(visit, activity_id)


@router.post("/desk/activities/{activity_id}/attendance/withdrawal")
async def post_attendance_withdrawal(visit: DeskVisit, activity_id: str) -> Response:
    """Withdraw the attendance of the holder of a card, as recorded in error."""
    return await _attend(visit, activity_id, withdrawn=True)


async def _attend(visit: Visit, activity_id: str, *, withdrawn: bool = False) -> Response:
    activity, patron = await asyncio.gather(_activity(visit, activity_id), forms.card_holder(visit))
    if isinstance(patron, Failure):
        return await _form(visit, activity, not_attended=patron)
    path = f"{_path(activity_id)}/attendance"
    if withdrawn:
        path = f"{path}/{segment(patron['id'])}"
        reply = await visit.api.send("DELETE", path, key=visit.key)
    else:
        reply = await visit.api.send("POST", path, {"patron_id": patron["id"]}, key=visit.key)
    if not reply.done:
        return await _form(visit, activity, not_attended=forms.refusal(reply))
    attended = {
        "name": patron["name"],
        "card_number": visit.text("card_number"),
        "at": reply.json()["attended_at"],
    }
    return await _form(visit, activity, attended=attended)


def _typed(visit: Visit) -> dict[str, Any]:
    """Return the fields that both forms have, in the API's form."""
    wordings = {code: {name: visit.text(f"{name}-{code}") for name in _TEXTS} for code in LANGUAGES}
    return {
        "title": visit.text("title"),
        "venue": visit.text("venue"),
        "branch": visit.text("branch") or None,
        "starts_at": forms.instant(visit, "starts") or "",
        "ends_at": forms.instant(visit, "ends"),
        "abstract": visit.text("abstract") or None,
        "remarks": visit.text("remarks") or None,
        "languages": visit.texts("languages"),
        "audience": visit.text("audience") or None,
        **{name: visit.number(name) for name in _NUMBERS},
        "wordings": {
            code: {name: text or None for name, text in texts.items()}
            for code, texts in wordings.items()
            if any(texts.values())
        },
    }


def _shown(visit: Visit, activity: dict[str, Any]) -> dict[str, Any]:
    """Return the values with which the form of an activity begins."""
    values = {
        name: activity[name] for name in (*_TEXTS, *_NUMBERS, "branch", "remarks", "audience")
    }
    for name, at in (("starts", activity["starts_at"]), ("ends", activity["ends_at"])):
        here = datetime.fromisoformat(at).astimezone(visit.zone) if at else None
        values[f"{name}_on"] = here.date().isoformat() if here else None
        values[f"{name}_time"] = f"{here:%H:%M}" if here else None
    for code, texts in activity["wordings"].items():
        values |= {f"{name}-{code}": text for name, text in texts.items()}
    return values


def _path(activity_id: str) -> str:
    return f"/v1/activities/{segment(activity_id)}"


async def _activity(visit: Visit, activity_id: str) -> dict[str, Any]:
    found: dict[str, Any] = (await visit.api.get(_path(activity_id))).json()
    return found


async def _attendance(visit: Visit, activity: dict[str, Any] | None) -> dict[str, int] | None:
    """Return the numbers of an activity; None if nobody has to register."""
    if activity is None or activity["places"] is None:
        return None
    found: dict[str, int] = (await visit.api.get(f"{_path(activity['id'])}/attendance")).json()
    return found


async def _form(
    visit: Visit,
    activity: dict[str, Any] | None,
    refused: Reply | None = None,
    *,
    attended: dict[str, Any] | None = None,
    not_attended: Failure | None = None,
) -> Response:
    outcome = forms.outcome(visit, refused)
    if not_attended is not None:
        outcome["status"] = not_attended.status
    languages = activity["languages"] if activity else []
    names, attendance = await asyncio.gather(branch_names(visit.api), _attendance(visit, activity))
    return visit.page(
        "desk/activity.html",
        activity=activity,
        values=_shown(visit, activity) if activity else {},
        held_in=visit.texts("languages") if refused else languages,
        branches=names,
        attendance=attendance,
        attended=attended,
        not_attended=not_attended,
        card=forms.scanned(visit, not_attended),
        types=ACTIVITY_TYPES,
        audiences=AUDIENCES,
        spoken={**SPOKEN, **{code: code for code in languages if code not in SPOKEN}},
        languages=LANGUAGES,
        **outcome,
    )
