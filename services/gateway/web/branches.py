"""Pages of the libraries: names, opening hours and services."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from fastapi import APIRouter, Response

from services.gateway.web.api import Api, segment
from services.gateway.web.visit import Anyone, Visit
from services.gateway.web.words import PERIOD_REASONS, SERVICES
from shared.http.dependencies import BusinessTime

router = APIRouter(include_in_schema=False)

MOST = "200"
HOURS = 8
"""Greatest number of hours in the picture of how full a library was."""


def in_language(branch: dict[str, Any], language: str) -> dict[str, Any]:
    """Return a library with its name in a language, if it has one there."""
    return branch | {"name": branch["names"].get(language, branch["name"])}


def by_name(branches: Iterable[dict[str, Any]], language: str) -> list[dict[str, Any]]:
    """Return libraries with their names in a language, in the order of these names.

    Chinese names are in the order of Unicode, which is that of radicals and strokes.
    """
    named = (in_language(branch, language) for branch in branches)
    return sorted(named, key=lambda branch: (branch["name"].casefold(), branch["code"]))


async def branches_by_code(api: Api) -> dict[str, dict[str, Any]]:
    """Return today's libraries by code, in the page's language and in the order of their names.

    Empty if they can't be listed.
    """
    reply = await api.get("/v1/branches", limit=MOST)
    items = reply.json()["items"] if reply.done else []
    return {branch["code"]: branch for branch in by_name(items, api.language)}


async def branch_names(api: Api) -> dict[str, str]:
    """Return names by code; empty if the API cannot list them, and pages then show the codes."""
    return {code: branch["name"] for code, branch in (await branches_by_code(api)).items()}


def names_of(codes: Iterable[str], names: Mapping[str, str]) -> dict[str, str]:
    """Return the names of some libraries by code, in their order; the code if a name is missing."""
    wanted = dict.fromkeys(codes)
    known = {code: name for code, name in names.items() if code in wanted}
    return known | {code: code for code in wanted if code not in known}


async def home_branch(visit: Visit) -> str:
    """Return the code of a patron's home library; "" if it is not known, or for other visitors."""
    if visit.caller is None or "patron" not in visit.caller.roles:
        return ""
    reply = await visit.api.get("/v1/me")
    return reply.json()["patron"]["home_branch"] or "" if reply.done else ""


@dataclass(frozen=True)
class Hour:
    """An hour in the picture of how full a library was."""

    starts_at: datetime
    """In the library's time zone."""
    most: int
    percent: int
    """Height of its bar."""


def picture(occupancy: Mapping[str, Any], at: datetime) -> list[Hour]:
    """Return the last hours up to `at`, a local time, from the first in which people were counted.

    An hour without a count had as many people inside as the one before it.
    """
    slots = [(_local(slot["at"], at), slot["most"], slot["inside"]) for slot in occupancy["slots"]]
    if not slots:
        return []
    this = at.replace(minute=0, second=0, microsecond=0)
    first = max(slots[0][0].replace(minute=0), this - timedelta(hours=HOURS - 1))
    starts = [first + timedelta(hours=n) for n in range(HOURS) if first + timedelta(hours=n) <= at]
    mosts = []
    for start in starts:
        before = [inside for slot, _, inside in slots if slot < start]
        during = [most for slot, most, _ in slots if start <= slot < start + timedelta(hours=1)]
        mosts.append(max(during, default=before[-1] if before else 0))
    top = max(*mosts, occupancy["capacity"] or 0, 1)
    return [
        Hour(start, most, round(100 * most / top))
        for start, most in zip(starts, mosts, strict=True)
    ]


def _local(instant: str, at: datetime) -> datetime:
    return datetime.fromisoformat(instant).astimezone(at.tzinfo)


@router.get("/libraries")
async def get_branches(visit: Anyone, now: BusinessTime) -> Response:
    """List all libraries, and show which of them are open now."""
    reply = await visit.api.get("/v1/branches", limit=MOST)
    at = now.astimezone(visit.zone)
    shown = by_name(reply.json()["items"], visit.language.code)
    return visit.page("libraries.html", branches=shown, at=at)


@router.get("/libraries/{code}")
async def get_branch(visit: Anyone, now: BusinessTime, code: str, on: str = "") -> Response:
    """Show a library on one day: its hours, a closure, its services and its notices."""
    at = now.astimezone(visit.zone)
    day = _day(on) or at.date()
    asked, news, counted = await asyncio.gather(
        visit.api.get(f"/v1/branches/{segment(code)}", on=day.isoformat()),
        visit.api.get("/v1/notices", branch=code, limit="5"),
        visit.api.get(f"/v1/branches/{segment(code)}/occupancy"),
    )
    branch = in_language(asked.json(), visit.language.code)
    occupancy = counted.json() if counted.done and day == at.date() else None
    return visit.page(
        "library.html",
        branch=branch,
        day=day,
        is_today=day == at.date(),
        until=_until(visit, branch, at),
        services=[
            one | {"until": _until(visit, one, at)}
            for service in SERVICES
            for one in branch["service_hours"]
            if one["service"] == service
        ],
        service_names=SERVICES,
        reasons=PERIOD_REASONS,
        notices=news.json()["items"] if news.done else [],
        occupancy=occupancy,
        hours=picture(occupancy, at) if occupancy else [],
    )


def _until(visit: Visit, place: Mapping[str, Any], at: datetime) -> str:
    """Return until when a library or service that is open now is open: a time, or a moment."""
    if place["open_until"] is None:
        return ""
    until = datetime.fromisoformat(place["open_until"]).astimezone(visit.zone)
    if until.date() == at.date():
        return f"{until:%H:%M}"
    return visit.language.moment(until, visit.zone)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
