"""Desk pages of study rooms: seasons, applications by post, the draw, and booked sessions."""

import asyncio
from typing import Any

from fastapi import Response

from services.gateway.web import forms
from services.gateway.web.api import Failure, Reply, missing, segment
from services.gateway.web.branches import branch_names, names_of
from services.gateway.web.page_request import DeskRequest, PageRequest
from services.gateway.web.pages import Pages
from shared.translations import marked

router = Pages(
    menus={"staff": [("/desk/study-rooms", marked("Seasons"))]},
    messages={
        "season-announced": marked("The season is announced."),
        "application-keyed-in": marked("The application is recorded."),
        "reader-admitted": marked("The reader may come in."),
        "list-closed": marked("The list is closed and published."),
        "room-saved": marked("The rules of the study room are saved."),
        "places-drawn": marked("The places are drawn. Every applicant is told the result."),
    },
    problems={
        "bad-season": marked(
            "The days, sessions or places contradict each other. The draw is after the last day to "
            "apply and before the first day of the cards."
        ),
        "seasons-overlap": marked("This study room has another season on some of these days."),
        "bad-room": marked("Sessions are in order and don't overlap."),
        "no-such-admission": marked("No admission card of this season has this code."),
        "no-session-now": marked("There is no session now."),
        "no-place-in-session": marked("There is no place for this card in this session yet."),
        "checked-in-already": marked("This card was used for this session already."),
        "place-lapsed": marked("The place was not taken in time. It went to the standby list."),
        "paper-number-taken": marked("An application with this number is recorded already."),
        "received-in-future": marked("This day is in the future. Enter today or an earlier day."),
        "applications-still-open": marked(
            "The last day to apply is not over, or the list is not closed."
        ),
        "too-early-to-draw": marked("The announced day of the draw has not come yet."),
        "drawn-already": marked("The places are drawn already."),
    },
    at_fault={
        "paper-number-taken": "paper_number",
        "no-such-admission": "code",
        "bad-room": "sessions",
        "received-in-future": "received_on",
    },
    fields={
        "rooms": marked("Study rooms"),
        "code": marked("Code of the admission card"),
        "days_ahead": marked("Days ahead that can be booked"),
        "most_bookings": marked("Bookings of a reader at a time"),
        "sessions": marked("Sessions of each day"),
        "applications_from": marked("First day to apply"),
        "applications_until": marked("Last day to apply"),
        "draw_on": marked("Day of the draw"),
        "valid_from": marked("First day of the admission cards"),
        "valid_until": marked("Last day of the admission cards"),
        "paper_number": marked("Number on the paper"),
        "received_on": marked("Day of receipt"),
    },
)


SEASONS_HOME = "/desk/study-rooms"
SEASONS_API = "/v1/study-seasons"
DAYS = ("applications_from", "applications_until", "draw_on", "valid_from", "valid_until")


@router.get("/desk/study-rooms")
async def get_seasons(request: DeskRequest) -> Response:
    """List the seasons that are not over, with a form for a new one."""
    return await _seasons(request)


@router.post("/desk/study-rooms")
async def post_season(request: DeskRequest) -> Response:
    """Announce a season, and go to it."""
    body = {
        "name": request.text("name"),
        "rooms": _rooms(request),
        "sessions": forms.sessions(request),
        **forms.given(request, *DAYS),
        **forms.numbers(request, "grace_minutes"),
    }
    reply = await request.send("POST", SEASONS_API, body)
    if not reply.done:
        return await _seasons(request, reply)
    return request.go(f"{SEASONS_HOME}/{reply.json()['id']}", "season-announced")


@router.get("/desk/study-rooms/{season_id}")
async def get_season(request: DeskRequest, season_id: str, after: str = "") -> Response:
    """Show a season with its applications, and the forms to work on it."""
    return await _season(request, season_id, after)


@router.post("/desk/study-rooms/{season_id}/applications")
async def post_application(request: DeskRequest, season_id: str) -> Response:
    """Key in an application by post."""
    body = {
        "card_number": request.text("card_number"),
        "branch": request.text("branch"),
        "paper_number": request.text("paper_number"),
        **forms.given(request, "received_on"),
    }
    reply = await _send(request, season_id, "applications", body)
    return await _outcome(request, season_id, reply, "application-keyed-in")


@router.post("/desk/study-rooms/{season_id}/closing")
async def post_closing(request: DeskRequest, season_id: str) -> Response:
    """Close and publish the list of applications."""
    reply = await _send(request, season_id, "closing")
    return await _outcome(request, season_id, reply, "list-closed")


@router.post("/desk/study-rooms/{season_id}/draw")
async def post_draw(request: DeskRequest, season_id: str) -> Response:
    """Draw the places."""
    reply = await _send(request, season_id, "draw")
    return await _outcome(request, season_id, reply, "places-drawn")


@router.get("/desk/study-rooms/{season_id}/door")
async def get_door(request: DeskRequest, season_id: str) -> Response:
    """Show the form that lets patrons in by their admission cards."""
    return await _door(request, season_id)


@router.post("/desk/study-rooms/{season_id}/door")
async def post_door(request: DeskRequest, season_id: str) -> Response:
    """Let a patron in."""
    body = {"code": request.text("code").replace(" ", "")}
    reply = await _send(request, season_id, "check-ins", body)
    if reply.done:
        return request.go(f"{SEASONS_HOME}/{segment(season_id)}/door", "reader-admitted")
    return await _door(request, season_id, reply)


async def _door(request: PageRequest, season_id: str, refused: Reply | None = None) -> Response:
    asked = await request.api.get(f"{SEASONS_API}/{segment(season_id)}")
    outcome = forms.outcome_of_scan(request, refused)
    return request.page("study_rooms/desk-season-door.html", season=asked.json(), **outcome)


def _rooms(request: PageRequest) -> list[dict[str, Any]] | None:
    """Return the rooms of a form, one a line: code, places, and categories with their quotas.

    None if a line has another form; the API then names the field.
    """
    rooms = []
    for line in forms.lines(request, "rooms"):
        code, *words = line.split()
        if len(words) % 2 == 0 or not all(word.isdecimal() for word in words[::2]):
            return None
        places, *quotas = words
        of_categories = dict(zip(quotas[::2], map(int, quotas[1::2]), strict=True))
        rooms.append({"branch": code, "places": int(places), "quotas": of_categories})
    return rooms


async def _send(request: PageRequest, season_id: str, command: str, body: Any = None) -> Reply:
    path = f"{SEASONS_API}/{segment(season_id)}/{command}"
    return await request.send("POST", path, body)


async def _outcome(request: PageRequest, season_id: str, reply: Reply, code: str) -> Response:
    if reply.done:
        return request.go(f"{SEASONS_HOME}/{segment(season_id)}", code)
    if reply.status in (404, 409, 422):
        return await _season(request, season_id, "", reply)
    raise reply.failure()


async def _seasons(request: PageRequest, refused: Reply | None = None) -> Response:
    asked, names = await asyncio.gather(request.api.get(SEASONS_API), branch_names(request.api))
    return request.page(
        "study_rooms/desk-rooms.html",
        seasons=asked.json()["items"],
        branches=names,
        **forms.outcome(request, refused),
    )


async def _season(
    request: PageRequest, season_id: str, after: str, refused: Reply | None = None
) -> Response:
    path = f"{SEASONS_API}/{segment(season_id)}"
    query = {"after": after} if after else {}
    asked, filed, names = await asyncio.gather(
        request.api.get(path),
        request.api.get(f"{path}/applications", **query),
        branch_names(request.api),
    )
    season, found = asked.json(), filed.json()
    return request.page(
        "study_rooms/desk-season.html",
        season=season,
        of_season=names_of((room["branch"] for room in season["rooms"]), names),
        applications=found["items"],
        next=found["next"],
        place=forms.desk_branch(request, names),
        branches=names,
        **forms.outcomes(request, refused, "applications", "closing", "draw"),
    )


SESSIONS_HOME = "/desk/study-sessions"
ROOMS_API = "/v1/study-rooms"
NUMBERS = ("places", "days_ahead", "most_bookings", "grace_minutes")


@router.get("/desk/study-sessions")
async def get_rooms(request: DeskRequest) -> Response:
    """List the rooms of which sessions are booked, with a form for the rules of one."""
    return await _booked_rooms(request)


@router.post("/desk/study-sessions")
async def post_room(request: DeskRequest) -> Response:
    """Set the rules of a room."""
    if not request.text("branch"):
        return await _booked_rooms(request, missing("branch"))
    body = {"sessions": forms.sessions(request), **forms.numbers(request, *NUMBERS)}
    path = f"{ROOMS_API}/{segment(request.text('branch'))}"
    reply = await request.send("PUT", path, body)
    if not reply.done:
        return await _booked_rooms(request, forms.refusal(reply))
    return request.go(SESSIONS_HOME, "room-saved")


@router.get("/desk/study-sessions/{branch}/door")
async def get_booking_door(request: DeskRequest, branch: str) -> Response:
    """Show the form that lets patrons in by the codes of their bookings."""
    return await _booking_door(request, branch)


@router.post("/desk/study-sessions/{branch}/door")
async def post_booking_door(request: DeskRequest, branch: str) -> Response:
    """Let a patron in."""
    body = {"code": request.text("code").replace(" ", "")}
    path = f"{ROOMS_API}/{segment(branch)}/check-ins"
    reply = await request.send("POST", path, body)
    if reply.done:
        return request.go(f"{SESSIONS_HOME}/{segment(branch)}/door", "reader-admitted")
    return await _booking_door(request, branch, reply)


async def _booked_rooms(request: PageRequest, refused: Failure | None = None) -> Response:
    asked, names = await asyncio.gather(request.api.get(ROOMS_API), branch_names(request.api))
    return request.page(
        "study_rooms/desk-sessions.html",
        rooms=asked.json()["items"],
        branches=names,
        chosen=forms.desk_branch(request, names),
        **forms.outcome_of(request, refused),
    )


async def _booking_door(
    request: PageRequest, branch: str, refused: Reply | None = None
) -> Response:
    asked, names = await asyncio.gather(
        request.api.get(f"{ROOMS_API}/{segment(branch)}"), branch_names(request.api)
    )
    outcome = forms.outcome_of_scan(request, refused)
    name = names.get(asked.json()["branch"], branch)
    return request.page("study_rooms/desk-booking-door.html", name=name, **outcome)
