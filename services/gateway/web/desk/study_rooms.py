"""Desk pages of the study rooms: seasons, applications by post, and the draw."""

import asyncio
from typing import Any

from fastapi import APIRouter, Response

from services.gateway.web.api import Reply, segment
from services.gateway.web.branches import branch_names, names_of
from services.gateway.web.desk import forms
from services.gateway.web.session import FlashMessage
from services.gateway.web.visit import DeskVisit, Visit

router = APIRouter(include_in_schema=False)

HOME = "/desk/study-rooms"
API = "/v1/study-seasons"
DAYS = ("applications_from", "applications_until", "draw_on", "valid_from", "valid_until")


@router.get("/desk/study-rooms")
async def get_seasons(visit: DeskVisit) -> Response:
    """List the seasons that are not over, with a form for a new one."""
    return await _seasons(visit)


@router.post("/desk/study-rooms")
async def post_season(visit: DeskVisit) -> Response:
    """Announce a season, and go to it."""
    body = {
        "name": visit.text("name"),
        "rooms": _rooms(visit),
        "sessions": forms.sessions(visit),
        **forms.given(visit, *DAYS),
        **forms.numbers(visit, "grace_minutes"),
    }
    reply = await visit.api.send("POST", API, body, key=visit.key)
    if not reply.done:
        return await _seasons(visit, reply)
    return visit.go(f"{HOME}/{reply.json()['id']}", FlashMessage("season-announced", {}))


@router.get("/desk/study-rooms/{season_id}")
async def get_season(visit: DeskVisit, season_id: str, after: str = "") -> Response:
    """Show a season with its applications, and the forms to work on it."""
    return await _season(visit, season_id, after)


@router.post("/desk/study-rooms/{season_id}/applications")
async def post_application(visit: DeskVisit, season_id: str) -> Response:
    """Key in an application by post."""
    body = {
        "card_number": visit.text("card_number"),
        "branch": visit.text("branch"),
        "paper_number": visit.text("paper_number"),
        **forms.given(visit, "received_on"),
    }
    reply = await _send(visit, season_id, "applications", body)
    return await _outcome(visit, season_id, reply, "application-keyed-in")


@router.post("/desk/study-rooms/{season_id}/closing")
async def post_closing(visit: DeskVisit, season_id: str) -> Response:
    """Close and publish the list of applications."""
    reply = await _send(visit, season_id, "closing")
    return await _outcome(visit, season_id, reply, "list-closed")


@router.post("/desk/study-rooms/{season_id}/draw")
async def post_draw(visit: DeskVisit, season_id: str) -> Response:
    """Draw the places."""
    reply = await _send(visit, season_id, "draw")
    return await _outcome(visit, season_id, reply, "places-drawn")


@router.get("/desk/study-rooms/{season_id}/door")
async def get_door(visit: DeskVisit, season_id: str) -> Response:
    """Show the form that lets patrons in by their admission cards."""
    return await _door(visit, season_id)


@router.post("/desk/study-rooms/{season_id}/door")
async def post_door(visit: DeskVisit, season_id: str) -> Response:
    """Let a patron in."""
    body = {"code": visit.text("code").replace(" ", "")}
    reply = await _send(visit, season_id, "check-ins", body)
    if reply.done:
        return visit.go(f"{HOME}/{segment(season_id)}/door", FlashMessage("reader-admitted", {}))
    return await _door(visit, season_id, reply)


async def _door(visit: Visit, season_id: str, refused: Reply | None = None) -> Response:
    asked = await visit.api.get(f"{API}/{segment(season_id)}")
    outcome = forms.outcome_of_scan(visit, refused)
    return visit.page("desk/study-door.html", season=asked.json(), **outcome)


def _rooms(visit: Visit) -> list[dict[str, Any]] | None:
    """Return the rooms of a form, one a line: code, places, and categories with their quotas.

    None if a line has another form; the API then names the field.
    """
    rooms = []
    for line in forms.lines(visit, "rooms"):
        code, *words = line.split()
        if len(words) % 2 == 0 or not all(word.isdecimal() for word in words[::2]):
            return None
        places, *quotas = words
        of_categories = dict(zip(quotas[::2], map(int, quotas[1::2]), strict=True))
        rooms.append({"branch": code, "places": int(places), "quotas": of_categories})
    return rooms


async def _send(visit: Visit, season_id: str, command: str, body: Any = None) -> Reply:
    path = f"{API}/{segment(season_id)}/{command}"
    return await visit.api.send("POST", path, body, key=visit.key)


async def _outcome(visit: Visit, season_id: str, reply: Reply, code: str) -> Response:
    if reply.done:
        return visit.go(f"{HOME}/{segment(season_id)}", FlashMessage(code, {}))
    if reply.status in (404, 409, 422):
        return await _season(visit, season_id, "", reply)
    raise reply.failure()


async def _seasons(visit: Visit, refused: Reply | None = None) -> Response:
    asked, names = await asyncio.gather(visit.api.get(API), branch_names(visit.api))
    return visit.page(
        "desk/study-rooms.html",
        seasons=asked.json()["items"],
        branches=names,
        **forms.outcome(visit, refused),
    )


async def _season(
    visit: Visit, season_id: str, after: str, refused: Reply | None = None
) -> Response:
    path = f"{API}/{segment(season_id)}"
    query = {"after": after} if after else {}
    asked, filed, names = await asyncio.gather(
        visit.api.get(path),
        visit.api.get(f"{path}/applications", **query),
        branch_names(visit.api),
    )
    season, found = asked.json(), filed.json()
    return visit.page(
        "desk/study-season.html",
        season=season,
        of_season=names_of((room["branch"] for room in season["rooms"]), names),
        applications=found["items"],
        next=found["next"],
        branches=names,
        **forms.outcomes(visit, refused, "applications", "closing", "draw"),
    )
