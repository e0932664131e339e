"""Pages of study rooms: seasons with their ballot and admission cards, and single sessions."""

import asyncio
from datetime import date
from typing import Any

from fastapi import Response

from services.gateway.web import forms
from services.gateway.web.api import Failure, segment
from services.gateway.web.barcodes import qr, spaced
from services.gateway.web.branches import branch_names, home_branch, names_of
from services.gateway.web.page_request import Anyone, PageRequest, PatronRequest, Today
from services.gateway.web.pages import Pages
from shared.http.problems import NotFound
from shared.translations import marked

router = Pages(
    menus={"anyone": [("/study-rooms", marked("Study rooms"))]},
    messages={
        "applied": marked("Your application is recorded. We'll tell you the result of the draw."),
        "session-booked": marked("Your place is booked."),
        "booking-cancelled": marked("Your booking is cancelled."),
        "application-withdrawn": marked("Your application has ended."),
    },
    problems={
        "no-such-season": marked("There is no such season of the study rooms."),
        "applications-not-open": marked("You can't apply yet."),
        "applications-closed": marked("Applications are closed."),
        "season-over": marked("This season is over."),
        "no-such-study-room": marked("You can't book sessions of this study room."),
        "no-such-session": marked("There is no such session."),
        "too-far-ahead": marked("You can't book this day yet."),
        "session-over": marked("This session is over."),
        "library-closed": marked("The library is closed on this day."),
        "room-in-season": marked(
            "On this day, the places of this study room are for readers with admission cards."
        ),
        "session-full": marked("All places of this session are booked."),
        "booked-already": marked("You've booked this session already."),
        "too-many-bookings": marked("You've as many bookings here as you can have at a time."),
        "no-such-booking": marked("There is no such booking. It may have ended."),
        "no-such-room": marked("This library has no study room in this season."),
        "applied-already": marked("There is an application for this season already."),
    },
    at_fault={"no-such-booking": "code"},
)


@router.get("/study-rooms")
async def get_seasons(request: Anyone) -> Response:
    """List the seasons that are not over, and the rooms of which sessions can be booked."""
    asked, found, names = await asyncio.gather(
        request.api.get("/v1/study-seasons"),
        request.api.get("/v1/study-rooms"),
        branch_names(request.api),
    )
    open_rooms = [room["branch"] for room in found.json()["items"] if room["places"]]
    rooms = names_of(open_rooms, names)
    return request.page(
        "study_rooms/rooms.html", seasons=asked.json()["items"], rooms=rooms, branches=names
    )


@router.get("/study-rooms/{season_id}")
async def get_season(request: Anyone, season_id: str, today: Today) -> Response:
    """Show a season with the visitor's application, or a form to apply."""
    return await _season(request, season_id, today)


async def _season(
    request: PageRequest, season_id: str, today: date, refused: Failure | None = None
) -> Response:
    asked, application, names, home = await asyncio.gather(
        request.api.get(_path(season_id)),
        _application(request, season_id),
        branch_names(request.api),
        home_branch(request),
    )
    season = asked.json()
    day = today.isoformat()
    closed = bool(season["closed_at"]) or day > season["applications_until"]
    return request.page(
        "study_rooms/season.html",
        season=season,
        application=application,
        branches=names,
        of_season=names_of((room["branch"] for room in season["rooms"]), names),
        home=home,
        **forms.outcome_of(request, refused),
        open=season["applications_from"] <= day and not closed,
        closed=closed,
        over=day > season["valid_until"],
    )


@router.get("/study-rooms/{season_id}/ballot")
async def get_ballot(request: Anyone, season_id: str) -> Response:
    """Show the published list of applications and the result, by ids only."""
    asked, found, application, names = await asyncio.gather(
        request.api.get(_path(season_id)),
        request.api.get(f"{_path(season_id)}/ballot"),
        _application(request, season_id),
        branch_names(request.api),
    )
    return request.page(
        "study_rooms/ballot.html",
        season=asked.json(),
        ballot=found.json(),
        application=application,
        branches=names,
    )


@router.get("/study-rooms/{season_id}/card")
async def get_card(request: PatronRequest, season_id: str) -> Response:
    """Show the patron's admission card with its code, for the phone and for printing."""
    asked, application, names = await asyncio.gather(
        request.api.get(_path(season_id)),
        _application(request, season_id),
        branch_names(request.api),
    )
    if application is None or application["state"] == "applied":
        raise NotFound("card")
    code = application["code"]
    return request.page(
        "study_rooms/card.html",
        season=asked.json(),
        card=application,
        branches=names,
        code=spaced(code),
        picture=qr(code, scale=6),
    )


@router.post("/study-rooms/{season_id}/application")
async def post_application(request: PatronRequest, season_id: str, today: Today) -> Response:
    """Apply for the study room of a library."""
    body = {"branch": request.text("branch")}
    path = f"{_path(season_id)}/application"
    reply = await request.send("POST", path, body)
    if reply.done:
        return request.go(f"/study-rooms/{segment(season_id)}", "applied")
    return await _season(request, season_id, today, reply.refusal(409, 422))


@router.post("/study-rooms/{season_id}/withdrawal")
async def post_withdrawal(request: PatronRequest, season_id: str) -> Response:
    """Withdraw the application, or give the admission card back."""
    path = f"{_path(season_id)}/application"
    reply = await request.send("DELETE", path)
    here = f"/study-rooms/{segment(season_id)}"
    # A patron who has withdrawn in another window already has what they want.
    if reply.done or reply.failure().code == "not-applied":
        return request.go(here, "application-withdrawn")
    return request.refused(here, reply)


async def _application(request: PageRequest, season_id: str) -> Any:
    """Return the visitor's own application, None if there is none."""
    if not request.is_patron:
        return None
    reply = await request.api.get(f"{_path(season_id)}/application")
    return None if reply.status == 404 else reply.json()


def _path(season_id: str) -> str:
    return f"/v1/study-seasons/{segment(season_id)}"


@router.get("/study-sessions/{branch}")
async def get_sessions(request: Anyone, branch: str, today: Today, on: str = "") -> Response:
    """Show the sessions of a day with their free places, and forms to book them."""
    day = forms.day(on) or today
    asked, names = await asyncio.gather(
        request.api.get(f"/v1/study-rooms/{segment(branch)}", on=day.isoformat()),
        branch_names(request.api),
    )
    return request.page(
        "study_rooms/sessions.html",
        room=asked.json(),
        name=names.get(branch, branch),
        day=day,
        today=today,
    )


@router.post("/study-sessions/{branch}/bookings")
async def post_booking(request: PatronRequest, branch: str) -> Response:
    """Book a place in a session, and show the booking."""
    day = request.text("day")
    body = {"day": day, "session": request.number("session")}
    path = f"/v1/study-rooms/{segment(branch)}/bookings"
    reply = await request.send("POST", path, body)
    if not reply.done:
        shown = f"?on={day}" if forms.day(day) else ""
        return request.refused(f"/study-sessions/{segment(branch)}{shown}", reply)
    return request.go(f"/study-bookings/{reply.json()['id']}", "session-booked")


@router.get("/study-bookings/{booking_id}")
async def get_booking(request: PatronRequest, booking_id: str) -> Response:
    """Show a booking with its code, for the phone and for printing."""
    asked, names = await asyncio.gather(
        request.api.get(f"/v1/me/bookings/{segment(booking_id)}"), branch_names(request.api)
    )
    booking = asked.json()
    code = booking["code"]
    return request.page(
        "study_rooms/booking.html",
        booking=booking,
        name=names.get(booking["branch"], booking["branch"]),
        code=spaced(code),
        picture=qr(code, scale=6),
    )


@router.post("/study-bookings/{booking_id}/cancellation")
async def post_cancellation(request: PatronRequest, booking_id: str) -> Response:
    """Cancel a booking."""
    here = f"/study-bookings/{segment(booking_id)}"
    reply = await request.send("DELETE", f"/v1/me/bookings/{segment(booking_id)}")
    # A patron who has cancelled in another window already has what they want.
    if reply.done or reply.failure().code == "no-such-booking":
        return request.go("/study-rooms", "booking-cancelled")
    return request.refused(here, reply)
