"""Desk page of a reader's activities and study rooms: register, book, and cancel either."""

import asyncio
from datetime import datetime
from typing import Any

from fastapi import Response

from services.gateway.web import forms
from services.gateway.web.account.desk import PATH
from services.gateway.web.api import Failure, Reply, segment
from services.gateway.web.barcodes import spaced
from services.gateway.web.branches import branch_names, names_of
from services.gateway.web.languages import worded
from services.gateway.web.page_request import DeskRequest, PageRequest, Today
from services.gateway.web.pages import Pages
from services.gateway.web.session import FlashMessage
from services.gateway.web.words import AT_DESK
from shared.http.dependencies import business_time
from shared.translations import marked

router = Pages(
    messages={
        "reader-registered": marked("The reader has a place."),
        "reader-waitlisted": marked(
            "All places are taken. The reader is number %(position)s on the waiting list."
        ),
        "reader-withdrawn": marked("The reader is no longer registered."),
        "reader-booked": marked(
            "The place is booked. Give the reader the code for the door: %(door_code)s"
        ),
        "reader-booking-cancelled": marked("The booking of the reader is cancelled."),
    },
    problems={
        "reader-registered-already": marked("The reader is registered for this activity already."),
        "reader-outside-ages": marked(
            "On the day of this activity the reader is younger or older than those whom it is for. "
            "If the date of birth is wrong, correct it under Details."
        ),
        "begun-without-place": marked(
            "This activity is over, or has begun and has no place left. Choose another activity."
        ),
        "reader-booked-already": marked("The reader has booked this session already."),
        "reader-booking-limit": marked(
            "The reader has as many bookings here as one reader can have at a time. Cancel one of "
            "them first."
        ),
        "no-such-patron": marked("This account has ended. Find another account."),
    },
)

_ACTIVITIES = "200"
"""Activities to come that the page offers, the earliest first."""


@router.get("/desk/accounts/{patron_id}/activities")
async def get_activities(
    request: DeskRequest, patron_id: str, today: Today, branch: str = "", on: str = ""
) -> Response:
    """Show what a reader is registered for and has booked; with a library, its free sessions."""
    return await _page(request, patron_id, today, branch=branch, on=on)


@router.post("/desk/accounts/{patron_id}/registration")
async def post_registration(request: DeskRequest, patron_id: str, today: Today) -> Response:
    """Register the reader: with a place, or on the waiting list."""
    body = {"activity_id": request.text("activity")}
    reply = await request.send("POST", f"{_path(patron_id)}/registrations", body)
    if not reply.done:
        return await _page(request, patron_id, today, reply)
    position = reply.json()["position"]
    if position is None:
        return request.go(page_of_activities(patron_id), "reader-registered")
    message = FlashMessage("reader-waitlisted", {"position": position})
    return request.go(page_of_activities(patron_id), message)


@router.post("/desk/accounts/{patron_id}/registration-withdrawal")
async def post_withdrawal(request: DeskRequest, patron_id: str, today: Today) -> Response:
    """Cancel a registration of the reader, or the place on the waiting list."""
    path = f"{_path(patron_id)}/registrations/{segment(request.text('activity') or '-')}"
    reply = await request.send("DELETE", path)
    if not reply.done:
        return await _page(request, patron_id, today, reply)
    return request.go(page_of_activities(patron_id), "reader-withdrawn")


@router.post("/desk/accounts/{patron_id}/booking")
async def post_booking(request: DeskRequest, patron_id: str, today: Today) -> Response:
    """Book a session for the reader, and say the code for the door."""
    body = {name: request.text(name) for name in ("branch", "day")}
    reply = await request.send(
        "POST", f"{_path(patron_id)}/bookings", body | {"session": request.number("session")}
    )
    if not reply.done:
        return await _page(request, patron_id, today, reply, branch=body["branch"], on=body["day"])
    message = FlashMessage("reader-booked", {"door_code": spaced(reply.json()["code"])})
    return request.go(page_of_activities(patron_id), message)


@router.post("/desk/accounts/{patron_id}/booking-cancellation")
async def post_cancellation(request: DeskRequest, patron_id: str, today: Today) -> Response:
    """Cancel a booking of the reader."""
    path = f"{_path(patron_id)}/bookings/{segment(request.text('booking') or '-')}"
    reply = await request.send("DELETE", path)
    if not reply.done:
        return await _page(request, patron_id, today, reply)
    return request.go(page_of_activities(patron_id), "reader-booking-cancelled")


def page_of_activities(patron_id: str) -> str:
    """Return the path of the page of a reader's activities and study rooms."""
    return f"/desk/accounts/{segment(patron_id)}/activities"


def _path(patron_id: str) -> str:
    return f"{PATH}/{segment(patron_id)}"


async def _page(
    request: PageRequest,
    patron_id: str,
    today: Any,
    reply: Reply | None = None,
    *,
    branch: str = "",
    on: str = "",
) -> Response:
    refused: Failure | None = forms.reworded(forms.refusal(reply), AT_DESK)
    api, day = request.api, forms.day(on) or today
    patron, registered, booked, ahead, rooms, names = await asyncio.gather(
        api.get(_path(patron_id)),
        api.get(f"{_path(patron_id)}/registrations"),
        api.get(f"{_path(patron_id)}/bookings"),
        api.get("/v1/activities", **{"from": today.isoformat(), "limit": _ACTIVITIES}),
        api.get("/v1/study-rooms"),
        branch_names(api),
    )
    room = (
        await api.get(f"/v1/study-rooms/{segment(branch)}", on=day.isoformat()) if branch else None
    )
    registrations = registered.json()["items"]
    for one in registrations:
        one["begun"] = datetime.fromisoformat(one["starts_at"]) <= business_time(request.http)
    taken = {one["activity_id"] for one in registrations}
    offered = [
        worded(one, request.language.code)
        for one in ahead.json()["items"]
        if one["places"] is not None and not one["cancelled_at"] and one["id"] not in taken
    ]
    return request.page(
        "account/desk-activities.html",
        patron=patron.json(),
        registrations=registrations,
        bookings=booked.json()["items"],
        activities=offered,
        more=bool(ahead.json()["next"]),
        rooms=names_of([one["branch"] for one in rooms.json()["items"] if one["places"]], names),
        branches=names,
        branch=branch or forms.desk_branch(request, names),
        room=room.json() if room else None,
        day=day,
        today=today,
        **forms.outcome_of(request, refused),
    )
