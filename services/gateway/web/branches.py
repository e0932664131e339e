"""The libraries: their names, when each is open, and what a visitor finds there."""

import asyncio
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from fastapi import APIRouter, Response

from services.gateway.web.api import Api, segment
from services.gateway.web.visit import Anyone
from shared.http import BusinessTime

router = APIRouter(include_in_schema=False)

MOST = "200"


async def branch_names(api: Api) -> dict[str, str]:
    """Names by code; empty while nobody can tell, and a page shows the codes then."""
    reply = await api.get("/v1/branches", limit=MOST)
    return {one["code"]: one["name"] for one in reply.json()["items"]} if reply.done else {}


def is_open(branch: Mapping[str, Any], at: datetime) -> bool:
    """Whether a branch is open at a moment of the library's zone, by what it says of that day."""
    clock = f"{at:%H:%M}"
    return bool(branch["open"]) and any(
        hours["opens"] <= clock < hours["closes"] for hours in branch["hours"]
    )


@router.get("/libraries")
async def get_branches(visit: Anyone, now: BusinessTime) -> Response:
    """All libraries, and which of them are open now."""
    reply = await visit.api.get("/v1/branches", limit=MOST)
    at = now.astimezone(visit.zone)
    shown = [{**branch, "open_now": is_open(branch, at)} for branch in reply.json()["items"]]
    return visit.page("libraries.html", branches=sorted(shown, key=lambda one: one["name"]), at=at)


@router.get("/libraries/{code}")
async def get_branch(visit: Anyone, now: BusinessTime, code: str, on: str = "") -> Response:
    """A library on a day: its hours, a closure, what it offers, and its news."""
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
        open_now=is_open(branch, at),
        notices=news.json()["items"] if news.done else [],
    )


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
