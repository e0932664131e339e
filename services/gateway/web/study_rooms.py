"""Pages of the study rooms: the seasons, a patron's application, and the published ballot."""

import asyncio
from datetime import date
from typing import Any

import segno
from fastapi import APIRouter, Response
from markupsafe import Markup

from services.gateway.web.api import Failure, segment
from services.gateway.web.branches import branch_names, home_branch, names_of
from services.gateway.web.fields import filled
from services.gateway.web.session import FlashMessage
from services.gateway.web.visit import Anyone, PatronVisit, Today, Visit
from shared.http.problems import NotFound

router = APIRouter(include_in_schema=False)


@router.get("/study-rooms")
async def get_seasons(visit: Anyone) -> Response:
    """List the seasons that are not over, and the rooms of which sessions can be booked."""
    asked, found, names = await asyncio.gather(
        visit.api.get("/v1/study-seasons"),
        visit.api.get("/v1/study-rooms"),
        branch_names(visit.api),
    )
    open_rooms = [room["branch"] for room in found.json()["items"] if room["places"]]
    rooms = names_of(open_rooms, names)
    return visit.page(
        "study-rooms.html", seasons=asked.json()["items"], rooms=rooms, branches=names
    )


@router.get("/study-rooms/{season_id}")
async def get_season(visit: Anyone, season_id: str, today: Today) -> Response:
    """Show a season with the visitor's application, or a form to apply."""
    return await _season(visit, season_id, today)


async def _season(
    visit: Visit, season_id: str, today: date, refused: Failure | None = None
) -> Response:
    asked, application, names, home = await asyncio.gather(
        visit.api.get(_path(season_id)),
        _application(visit, season_id),
        branch_names(visit.api),
        home_branch(visit),
    )
    season = asked.json()
    day = today.isoformat()
    closed = bool(season["closed_at"]) or day > season["applications_until"]
    return visit.page(
        "study-season.html",
        status=refused.status if refused else 200,
        season=season,
        application=application,
        branches=names,
        of_season=names_of((room["branch"] for room in season["rooms"]), names),
        home=home,
        refused=refused,
        form=filled(visit, refused),
        open=season["applications_from"] <= day and not closed,
        closed=closed,
        over=day > season["valid_until"],
    )


@router.get("/study-rooms/{season_id}/ballot")
async def get_ballot(visit: Anyone, season_id: str) -> Response:
    """Show the published list of applications and the result, by ids only."""
    asked, found, application, names = await asyncio.gather(
        visit.api.get(_path(season_id)),
        visit.api.get(f"{_path(season_id)}/ballot"),
        _application(visit, season_id),
        branch_names(visit.api),
    )
    return visit.page(
        "study-ballot.html",
        season=asked.json(),
        ballot=found.json(),
        application=application,
        branches=names,
    )


@router.get("/study-rooms/{season_id}/card")
async def get_card(visit: PatronVisit, season_id: str) -> Response:
    """Show the patron's admission card with its code, for the phone and for printing."""
    asked, application, names = await asyncio.gather(
        visit.api.get(_path(season_id)), _application(visit, season_id), branch_names(visit.api)
    )
    if application is None or application["state"] == "applied":
        raise NotFound("card")
    code = application["code"]
    return visit.page(
        "study-card.html",
        season=asked.json(),
        card=application,
        branches=names,
        code=" ".join(code[at : at + 4] for at in range(0, len(code), 4)),
        picture=Markup(segno.make(code, micro=False).svg_inline(scale=6)),  # noqa: S704 - ours
    )


@router.post("/study-rooms/{season_id}/application")
async def post_application(visit: PatronVisit, season_id: str, today: Today) -> Response:
    """Apply for the study room of a library."""
    body = {"branch": visit.text("branch")}
    path = f"{_path(season_id)}/application"
    reply = await visit.api.send("POST", path, body, key=visit.key)
    if reply.done:
        return visit.go(f"/study-rooms/{segment(season_id)}", FlashMessage("applied", {}))
    if reply.status in (409, 422):
        return await _season(visit, season_id, today, reply.failure())
    raise reply.failure()


@router.post("/study-rooms/{season_id}/withdrawal")
async def post_withdrawal(visit: PatronVisit, season_id: str) -> Response:
    """Withdraw the application, or give the admission card back."""
    path = f"{_path(season_id)}/application"
    reply = await visit.api.send("DELETE", path, key=visit.key)
    here = f"/study-rooms/{segment(season_id)}"
    # A patron who has withdrawn in another window already has what they want.
    if reply.done or reply.failure().code == "not-applied":
        return visit.go(here, FlashMessage("application-withdrawn", {}))
    return visit.refused(here, reply)


async def _application(visit: Visit, season_id: str) -> Any:
    """Return the visitor's own application, None if there is none."""
    if visit.caller is None or "patron" not in visit.caller.roles:
        return None
    reply = await visit.api.get(f"{_path(season_id)}/application")
    return None if reply.status == 404 else reply.json()


def _path(season_id: str) -> str:
    return f"/v1/study-seasons/{segment(season_id)}"
