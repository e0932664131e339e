"""Desk pages of visitors: count and register them at the doors, and print the code for a door."""

import asyncio
from typing import Any
from urllib.parse import urlencode

import segno
from fastapi import APIRouter, Response
from markupsafe import Markup

from services.gateway.web.api import Failure, segment
from services.gateway.web.branches import branch_names
from services.gateway.web.desk import forms
from services.gateway.web.desk_words import POSTER
from services.gateway.web.fields import filled
from services.gateway.web.languages import LANGUAGES
from services.gateway.web.session import FlashMessage
from services.gateway.web.visit import DeskVisit, Visit
from shared.http.problems import NotFound

router = APIRouter(include_in_schema=False)

BY_PHONE = "check-in"
"""Name of the door at which the API counts visitors who check in by phone."""


@router.get("/desk/visitors")
async def get_visitors(visit: DeskVisit, branch: str = "", door: str = "") -> Response:
    """Show how full a library is, with the forms of its doors."""
    return await _page(visit, branch, door)


@router.get("/desk/visitors/poster")
async def get_poster(visit: DeskVisit, branch: str) -> Response:
    """Show the poster with a library's code for its doors, to be printed, in all languages."""
    path = f"/v1/branches/{segment(branch)}"
    asked, code = await asyncio.gather(visit.api.get(path), visit.api.get(f"{path}/venue"))
    venue = code.json()["venue"]
    if venue is None:
        raise NotFound("poster")
    link = _address(visit, venue)
    return visit.page(
        "desk/poster.html",
        place=branch,
        library=asked.json()["name"],
        link=link,
        texts={
            code: [language.say(text) for text in POSTER] for code, language in LANGUAGES.items()
        },
        picture=Markup(segno.make(link, micro=False).svg_inline(scale=8)),  # noqa: S704 - ours
    )


@router.post("/desk/visitors/counts")
async def post_count(visit: DeskVisit) -> Response:
    """Count people who enter or leave."""
    body = {"door": visit.text("door"), visit.text("way"): visit.number("people")}
    return await _sent(visit, "counts", body, "visitors-counted")


@router.post("/desk/visitors/registrations")
async def post_registration(visit: DeskVisit) -> Response:
    """Register a visitor who has no phone to do it with."""
    body = {name: visit.text(name) for name in ("door", "name", "phone")}
    return await _sent(visit, "visits", body, "visitor-registered")


@router.post("/desk/visitors/venue")
async def post_venue(visit: DeskVisit) -> Response:
    """Give the library a new code for its doors."""
    return await _sent(visit, "venue", None, "venue-renewed")


async def _sent(visit: Visit, path: str, body: dict[str, Any] | None, said: str) -> Response:
    branch, door = visit.text("branch"), visit.text("door")
    reply = await visit.api.send(
        "POST", f"/v1/branches/{segment(branch)}/{path}", body, key=visit.key
    )
    if not reply.done:
        failure = reply.failure()
        if failure.status not in (409, 422):
            raise failure
        return await _page(visit, branch, door, failure)
    there = f"/desk/visitors?{urlencode({'branch': branch, 'door': door})}"
    return forms.remember_branch(visit, visit.go(there, FlashMessage(said, {})), branch)


async def _page(visit: Visit, branch: str, door: str, refused: Failure | None = None) -> Response:
    names = await branch_names(visit.api)
    place = branch or forms.desk_branch(visit, names)
    here = visit.request.url
    form = "register" if here.path.endswith("registrations") else "count"
    occupancy: dict[str, Any] | None = None
    venue: str | None = None
    if place:
        counted, code = await asyncio.gather(
            visit.api.get(f"/v1/branches/{segment(place)}/occupancy"),
            visit.api.get(f"/v1/branches/{segment(place)}/venue"),
        )
        occupancy, venue = counted.json(), code.json()["venue"]
    return visit.page(
        "desk/visitors.html",
        status=refused.status if refused else 200,
        branches=names,
        place=place,
        door=door,
        occupancy=occupancy,
        venue=venue,
        poster=_address(visit, venue) if venue else "",
        by_phone=BY_PHONE,
        refused=refused,
        form=filled(visit, refused, door=f"{form}-door", entered="people", left="people"),
    )


def _address(visit: Visit, venue: str) -> str:
    """Return the address of a library's check-in page, as people reach it."""
    here = visit.request.url
    site: str = visit.request.app.state.settings.public_url or f"{here.scheme}://{here.netloc}"
    return f"{site}/check-in/{venue}"
