"""Pages of single sessions in study rooms: free places of a day, and a patron's bookings."""

import asyncio
from datetime import date

import segno
from fastapi import APIRouter, Response
from markupsafe import Markup

from services.gateway.web.api import segment
from services.gateway.web.branches import branch_names
from services.gateway.web.session import FlashMessage
from services.gateway.web.visit import Anyone, PatronVisit, Today

router = APIRouter(include_in_schema=False)


@router.get("/study-sessions/{branch}")
async def get_sessions(visit: Anyone, branch: str, today: Today, on: str = "") -> Response:
    """Show the sessions of a day with their free places, and forms to book them."""
    day = _day(on) or today
    asked, names = await asyncio.gather(
        visit.api.get(f"/v1/study-rooms/{segment(branch)}", on=day.isoformat()),
        branch_names(visit.api),
    )
    return visit.page(
        "study-sessions.html",
        room=asked.json(),
        name=names.get(branch, branch),
        day=day,
        today=today,
    )


@router.post("/study-sessions/{branch}/bookings")
async def post_booking(visit: PatronVisit, branch: str) -> Response:
    """Book a place in a session, and show the booking."""
    day = visit.text("day")
    body = {"day": day, "session": visit.number("session")}
    path = f"/v1/study-rooms/{segment(branch)}/bookings"
    reply = await visit.api.send("POST", path, body, key=visit.key)
    if not reply.done:
        shown = f"?on={day}" if _day(day) else ""
        return visit.refused(f"/study-sessions/{segment(branch)}{shown}", reply)
    return visit.go(f"/study-bookings/{reply.json()['id']}", FlashMessage("session-booked", {}))


@router.get("/study-bookings/{booking_id}")
async def get_booking(visit: PatronVisit, booking_id: str) -> Response:
    """Show a booking with its code, for the phone and for printing."""
    asked, names = await asyncio.gather(
        visit.api.get(f"/v1/me/bookings/{segment(booking_id)}"), branch_names(visit.api)
    )
    booking = asked.json()
    code = booking["code"]
    return visit.page(
        "study-booking.html",
        booking=booking,
        name=names.get(booking["branch"], booking["branch"]),
        code=" ".join(code[at : at + 4] for at in range(0, len(code), 4)),
        picture=Markup(segno.make(code, micro=False).svg_inline(scale=6)),  # noqa: S704 - ours
    )


@router.post("/study-bookings/{booking_id}/cancellation")
async def post_cancellation(visit: PatronVisit, booking_id: str) -> Response:
    """Cancel a booking."""
    here = f"/study-bookings/{segment(booking_id)}"
    reply = await visit.api.send("DELETE", f"/v1/me/bookings/{segment(booking_id)}", key=visit.key)
    # A patron who has cancelled in another window already has what they want.
    if reply.done or reply.failure().code == "no-such-booking":
        return visit.go("/study-rooms", FlashMessage("booking-cancelled", {}))
    return visit.refused(here, reply)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
