"""Pages of the libraries: names, opening hours and services."""

import asyncio
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from fastapi import APIRouter, Response

from services.gateway.web.api import Api, segment
from services.gateway.web.visit import Anyone, Visit
from shared.http.dependencies import BusinessTime

router = APIRouter(include_in_schema=False)

MOST = "200"


async def branches_by_code(api: Api) -> dict[str, dict[str, Any]]:
    """Return today's libraries by code; empty if the API cannot list them."""
    reply = await api.get("/v1/branches", limit=MOST)
    return {one["code"]: one for one in reply.json()["items"]} if reply.done else {}


async def branch_names(api: Api) -> dict[str, str]:
    """Return names by code; empty if the API cannot list them, and pages then show the codes."""
    return {code: branch["name"] for code, branch in (await branches_by_code(api)).items()}


@router.get("/libraries")
async def get_branches(visit: Anyone, now: BusinessTime) -> Response:
    """List all libraries, and show which of them are open now."""
    reply = await visit.api.get("/v1/branches", limit=MOST)
    at = now.astimezone(visit.zone)
    shown = sorted(reply.json()["items"], key=lambda one: str(one["name"]))
    return visit.page("libraries.html", branches=shown, at=at)


@router.get("/libraries/{code}")
async def get_branch(visit: Anyone, now: BusinessTime, code: str, on: str = "") -> Response:
    """Show a library on one day: its hours, a closure, its services and its notices."""
    at = now.astimezone(visit.zone)
    day = _day(on) or at.date()
    asked, news = await asyncio.gather(
        visit.api.get(f"/v1/branches/{segment(code)}", on=day.isoformat()),
        visit.api.get("/v1/notices", branch=code, limit="5"),
    )
    branch = asked.json()
    return visit.page(
        "library.html",
        branch=branch,
        day=day,
        is_today=day == at.date(),
        until=_until(visit, branch, at),
        notices=news.json()["items"] if news.done else [],
    )


def _until(visit: Visit, branch: Mapping[str, Any], at: datetime) -> str:
    """Return until when a library that is open now is open: a time of today, or a later moment."""
    if branch["open_until"] is None:
        return ""
    until = datetime.fromisoformat(branch["open_until"]).astimezone(visit.zone)
    if until.date() == at.date():
        return f"{until:%H:%M}"
    return visit.language.moment(until, visit.zone)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
