"""Desk pages of single sessions in study rooms: the rules of the rooms, and the door."""

import asyncio

from fastapi import APIRouter, Response

from services.gateway.web.api import Failure, Reply, missing, segment
from services.gateway.web.branches import branch_names
from services.gateway.web.desk import forms
from services.gateway.web.session import FlashMessage
from services.gateway.web.visit import DeskVisit, Visit

router = APIRouter(include_in_schema=False)

HOME = "/desk/study-sessions"
API = "/v1/study-rooms"
NUMBERS = ("places", "days_ahead", "most_bookings", "grace_minutes")


@router.get("/desk/study-sessions")
async def get_rooms(visit: DeskVisit) -> Response:
    """List the rooms of which sessions are booked, with a form for the rules of one."""
    return await _rooms(visit)


@router.post("/desk/study-sessions")
async def post_room(visit: DeskVisit) -> Response:
    """Set the rules of a room."""
    if not visit.text("branch"):
        return await _rooms(visit, missing("branch"))
    body = {"sessions": forms.sessions(visit), **forms.numbers(visit, *NUMBERS)}
    path = f"{API}/{segment(visit.text('branch'))}"
    reply = await visit.api.send("PUT", path, body, key=visit.key)
    if not reply.done:
        return await _rooms(visit, forms.refusal(reply))
    return visit.go(HOME, FlashMessage("room-saved", {}))


@router.get("/desk/study-sessions/{branch}/door")
async def get_booking_door(visit: DeskVisit, branch: str) -> Response:
    """Show the form that lets patrons in by the codes of their bookings."""
    return await _door(visit, branch)


@router.post("/desk/study-sessions/{branch}/door")
async def post_booking_door(visit: DeskVisit, branch: str) -> Response:
    """Let a patron in."""
    body = {"code": visit.text("code").replace(" ", "")}
    path = f"{API}/{segment(branch)}/check-ins"
    reply = await visit.api.send("POST", path, body, key=visit.key)
    if reply.done:
        return visit.go(f"{HOME}/{segment(branch)}/door", FlashMessage("reader-admitted", {}))
    return await _door(visit, branch, reply)


async def _rooms(visit: Visit, refused: Failure | None = None) -> Response:
    asked, names = await asyncio.gather(visit.api.get(API), branch_names(visit.api))
    return visit.page(
        "desk/study-sessions.html",
        rooms=asked.json()["items"],
        branches=names,
        chosen=forms.desk_branch(visit, names),
        **forms.outcome_of(visit, refused),
    )


async def _door(visit: Visit, branch: str, refused: Reply | None = None) -> Response:
    asked, names = await asyncio.gather(
        visit.api.get(f"{API}/{segment(branch)}"), branch_names(visit.api)
    )
    outcome = forms.outcome_of_scan(visit, refused)
    name = names.get(asked.json()["branch"], branch)
    return visit.page("desk/study-booking-door.html", name=name, **outcome)
