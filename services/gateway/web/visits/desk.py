"""Desk pages of visitors: count and register them at the doors, and print the code for a door."""

import asyncio
from typing import Any
from urllib.parse import urlencode

from fastapi import Response

from services.gateway.web import forms
from services.gateway.web.api import Failure, segment
from services.gateway.web.barcodes import qr
from services.gateway.web.branches import branch_names
from services.gateway.web.languages import LANGUAGES
from services.gateway.web.page_request import DeskRequest, PageRequest
from services.gateway.web.pages import Pages
from shared.http.problems import NotFound
from shared.translations import marked

router = Pages(
    menus={"staff": [("/desk/visitors", marked("Visitors"))]},
    messages={
        "visitors-counted": marked("Counted."),
        "visitor-registered": marked("The visitor is registered and counted."),
        "venue-renewed": marked("The library has a new code. Put it at the doors."),
    },
    problems={
        "too-many-doors": marked(
            "This library has too many doors already. Use the name of one of them."
        ),
    },
    fields={
        "door": marked("Door"),
        "entered": marked("People"),
        "left": marked("People"),
    },
)


POSTER = (
    marked("Check in here"),
    marked("Scan this code with your phone when you enter, and check out when you leave."),
)
"""The texts of the poster at the doors of a library."""


@router.get("/desk/visitors")
async def get_visitors(request: DeskRequest, branch: str = "", door: str = "") -> Response:
    """Show how full a library is, with the forms of its doors."""
    return await _page(request, branch, door)


@router.get("/desk/visitors/poster")
async def get_poster(request: DeskRequest, branch: str) -> Response:
    """Show the poster with a library's code for its doors, to be printed, in all languages."""
    path = f"/v1/branches/{segment(branch)}"
    asked, code = await asyncio.gather(request.api.get(path), request.api.get(f"{path}/venue"))
    venue = code.json()["venue"]
    if venue is None:
        raise NotFound("poster")
    link = f"{request.site}/check-in/{venue}"
    return request.page(
        "visits/desk-poster.html",
        place=branch,
        library=asked.json()["name"],
        link=link,
        lines={
            code: [language.say(text) for text in POSTER] for code, language in LANGUAGES.items()
        },
        picture=qr(link, scale=8),
    )


@router.post("/desk/visitors/counts")
async def post_count(request: DeskRequest) -> Response:
    """Count people who enter or leave."""
    body = {"door": request.text("door"), request.text("way"): request.number("people")}
    return await _sent(request, "counts", body, "visitors-counted")


@router.post("/desk/visitors/registrations")
async def post_registration(request: DeskRequest) -> Response:
    """Register a visitor who has no phone to do it with."""
    body = {name: request.text(name) for name in ("door", "name", "phone")}
    return await _sent(request, "visits", body, "visitor-registered")


@router.post("/desk/visitors/venue")
async def post_venue(request: DeskRequest) -> Response:
    """Give the library a new code for its doors."""
    return await _sent(request, "venue", None, "venue-renewed")


async def _sent(
    request: PageRequest, path: str, body: dict[str, Any] | None, message: str
) -> Response:
    branch, door = request.text("branch"), request.text("door")
    reply = await request.send("POST", f"/v1/branches/{segment(branch)}/{path}", body)
    if not reply.done:
        return await _page(request, branch, door, reply.refusal(409, 422))
    there = f"/desk/visitors?{urlencode({'branch': branch, 'door': door})}"
    return forms.remember_branch(request, request.go(there, message), branch)


async def _page(
    request: PageRequest, branch: str, door: str, refused: Failure | None = None
) -> Response:
    names = await branch_names(request.api)
    place = branch or forms.desk_branch(request, names)
    here = request.http.url
    form = "register" if here.path.endswith("registrations") else "count"
    occupancy: dict[str, Any] | None = None
    venue: str | None = None
    if place:
        counted, code = await asyncio.gather(
            request.api.get(f"/v1/branches/{segment(place)}/occupancy"),
            request.api.get(f"/v1/branches/{segment(place)}/venue"),
        )
        occupancy, venue = counted.json(), code.json()["venue"]
    return request.page(
        "visits/desk-visitors.html",
        branches=names,
        place=place,
        door=door,
        occupancy=occupancy,
        venue=venue,
        poster=f"{request.site}/check-in/{venue}" if venue else "",
        **forms.outcome_of(request, refused, door=f"{form}-door", entered="people", left="people"),
    )
