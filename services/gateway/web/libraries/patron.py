"""Pages of the libraries: names, opening hours and services."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from fastapi import Response

from services.gateway.web import forms
from services.gateway.web.api import segment
from services.gateway.web.branches import MOST, by_name, home_branch, in_language
from services.gateway.web.languages import worded
from services.gateway.web.libraries.nearest import (
    NUMBERED,
    WIDTH,
    district,
    drawn,
    nearest_to,
)
from services.gateway.web.page_request import Anyone, PageRequest
from services.gateway.web.pages import Pages
from shared.http.dependencies import BusinessTime
from shared.translations import marked

router = Pages(
    menus={"anyone": [("/libraries", marked("Libraries"))]},
    problems={
        "unknown-branch": marked("There is no such library."),
        "no-such-branch": marked("There is no such library."),
    },
    at_fault={"unknown-branch": ("branch", "home_branch", "pickup_branch")},
)


SERVICES = {
    "adult": marked("Adult library"),
    "young-adult": marked("Young adult library"),
    "children": marked("Children's library"),
    "reference": marked("Reference library"),
    "study-room": marked("Students' study room"),
    "book-drop": marked("Book drop"),
}
"""Names of the services of a library that can have hours of their own."""
PERIOD_REASONS = {
    "examinations": marked("before and during examinations"),
    "public-holiday": marked("public holiday"),
    "school-holidays": marked("school holidays"),
    "works": marked("works in the building"),
    "other": marked("other hours for a time"),
}
"""Reasons of the periods in which a service has other hours than usual."""


HOURS = 8
"""Greatest number of hours in the picture of how full a library was."""


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
async def get_branches(request: Anyone, now: BusinessTime, near: str = "") -> Response:
    """List all libraries with until when they are open now and how full they are.

    The nearest to a district come first, else the visitor's own. Where the visitor is, a script
    works out in the browser alone, if they allow it.
    """
    reply, home, counted = await asyncio.gather(
        request.api.get("/v1/branches", limit=MOST),
        home_branch(request),
        request.api.get("/v1/occupancies"),
    )
    at, code = now.astimezone(request.zone), request.language.code
    levels = {one["branch"]: one["level"] for one in counted.items}
    named = by_name(reply.json()["items"], request.language.code)
    shown = [
        branch
        | {
            "until": _until(request, branch, at),
            "own": branch["code"] == home,
            "district": district(branch, code),
            "level": levels.get(branch["code"]),
        }
        for branch in sorted(named, key=lambda branch: branch["code"] != home)
    ]
    shown = nearest_to(shown, near, code)
    height, dots = drawn(shown)
    response = request.page(
        "libraries/libraries.html",
        branches=shown,
        at=at,
        near=near,
        districts=sorted({one["district"] for one in shown} - {""}),
        width=WIDTH,
        height=height,
        dots=dots,
        numbered=NUMBERED,
    )
    policy = response.headers["Permissions-Policy"]
    response.headers["Permissions-Policy"] = policy.replace("geolocation=()", "geolocation=(self)")
    return response


@router.get("/libraries/{code}")
async def get_branch(request: Anyone, now: BusinessTime, code: str, on: str = "") -> Response:
    """Show a library on one day: its hours, a closure, its services and its notices."""
    at = now.astimezone(request.zone)
    day = forms.day(on) or at.date()
    asked, news, counted, activities = await asyncio.gather(
        request.api.get(f"/v1/branches/{segment(code)}", on=day.isoformat()),
        request.api.get("/v1/notices", branch=code, limit="5"),
        request.api.get(f"/v1/branches/{segment(code)}/occupancy"),
        request.api.get(
            "/v1/activities", **{"branch": code, "from": day.isoformat(), "limit": "3"}
        ),
    )
    events = activities.json()["items"] if activities.done else []
    notices = news.json()["items"] if news.done else []
    branch = in_language(asked.json(), request.language.code)
    occupancy = counted.json() if counted.done and day == at.date() else None
    return request.page(
        "libraries/library.html",
        branch=branch,
        day=day,
        is_today=day == at.date(),
        until=_until(request, branch, at),
        services=[
            one | {"until": _until(request, one, at)}
            for service in SERVICES
            for one in branch["service_hours"]
            if one["service"] == service
        ],
        service_names=SERVICES,
        reasons=PERIOD_REASONS,
        notices=[worded(one, request.language.code) for one in notices],
        activities=[worded(one, request.language.code) for one in events],
        occupancy=occupancy,
        hours=picture(occupancy, at) if occupancy else [],
    )


def _until(request: PageRequest, place: Mapping[str, Any], at: datetime) -> str:
    """Return until when a library or service that is open now is open: a time, or a moment."""
    if place["open_until"] is None:
        return ""
    until = datetime.fromisoformat(place["open_until"]).astimezone(request.zone)
    if until.date() == at.date():
        return f"{until:%H:%M}"
    return request.language.moment(until, request.zone)
