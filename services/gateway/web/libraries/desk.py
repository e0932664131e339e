"""Desk page of a library: its names, the hours of its services, and when readers are told."""

import asyncio
from datetime import date
from typing import Any

from fastapi import Response

from services.gateway.web import forms
from services.gateway.web.api import Reply, segment
from services.gateway.web.branches import in_language
from services.gateway.web.languages import LANGUAGES
from services.gateway.web.libraries.patron import PERIOD_REASONS, SERVICES
from services.gateway.web.page_request import DeskRequest, PageRequest
from services.gateway.web.pages import Pages
from shared.translations import marked

PLACE = {
    "district": marked("District"),
    "street": marked("Address"),
    "directions": marked("How to get there"),
}
"""Texts about the place of a library, each in all languages."""

router = Pages(
    messages={
        "names-saved": marked("The names are saved."),
        "hours-saved": marked("The hours are saved."),
        "hours-removed": marked("The hours are removed."),
        "place-saved": marked("The place is saved."),
        "ready-delay-set": marked("The time until readers are told is saved."),
    },
    problems={
        "bad-hours": marked("The closing time must be after the opening time."),
        "no-such-service": marked("Set the usual hours of this service first."),
        "bad-period": marked(
            "A period ends after it starts, and has no day in common with another."
        ),
        "no-such-period": marked("This period was removed already."),
        "too-many-periods": marked("This service has too many periods. Remove past ones first."),
    },
    at_fault={
        "bad-hours": "opens",
        "bad-period": "until",
        "no-such-service": "service",
    },
    fields={
        "service": marked("Service"),
        "latitude": marked("Degrees north"),
        "longitude": marked("Degrees east"),
        **PLACE,
    },
)


WEEKDAYS = range(1, 8)
LONG_AGO = date(2000, 1, 1).isoformat()
"""A day on which no period is over, so that all are shown."""
LONGEST_DELAY = 240
"""Greatest number of minutes before readers are told that an item is ready."""


@router.get("/desk/libraries/{code}")
async def get_library(request: DeskRequest, code: str) -> Response:
    """Show the names of a library and the hours of its services, with the forms to change them."""
    return await _library(request, code)


@router.post("/desk/libraries/{code}/names")
async def post_names(request: DeskRequest, code: str) -> Response:
    """Change the names."""
    typed = {language: request.text(f"name-{language}") for language in LANGUAGES}
    names = {language: name for language, name in typed.items() if name}
    body = {"name": request.text("name"), "names": names}
    reply = await request.send("PUT", f"{_path(code)}/names", body)
    return await _outcome(request, code, reply, "names-saved")


@router.post("/desk/libraries/{code}/place")
async def post_place(request: DeskRequest, code: str) -> Response:
    """Set where the library is."""
    texts: dict[str, Any] = {
        name: {
            language: text for language in LANGUAGES if (text := request.text(f"{name}-{language}"))
        }
        for name in PLACE
    }
    degrees = {name: _degrees(request.text(name)) for name in ("latitude", "longitude")}
    reply = await request.send("PUT", f"{_path(code)}/place", texts | degrees)
    return await _outcome(request, code, reply, "place-saved")


@router.post("/desk/libraries/{code}/hours")
async def post_hours(request: DeskRequest, code: str) -> Response:
    """Set the usual hours of a service or, with days, those of a period or a special day."""
    first = request.text("first_day") or request.text("until")
    path = _service_path(code, request.text("service"))
    body: dict[str, Any] = {"hours": _week(request)}
    if first:
        path += f"/periods/{segment(first)}"
        body |= {"until": request.text("until") or first, "reason": request.text("reason")}
    reply = await request.send("PUT", path, body)
    return await _outcome(request, code, reply, "hours-saved")


@router.post("/desk/libraries/{code}/removal")
async def post_removal(request: DeskRequest, code: str) -> Response:
    """Remove a period of a service, or all hours of its own."""
    first = request.text("first_day")
    path = _service_path(code, request.text("service"))
    path += f"/periods/{segment(first)}" if first else ""
    reply = await request.send("DELETE", path)
    return await _outcome(request, code, reply, "hours-removed")


@router.post("/desk/libraries/{code}/ready-delay")
async def post_delay(request: DeskRequest, code: str) -> Response:
    """Set the minutes after which readers are told that an item is ready here."""
    body = {"minutes": request.number("minutes")}
    reply = await request.send("PUT", f"{_path(code)}/ready-delay", body)
    return await _outcome(request, code, reply, "ready-delay-set")


def _degrees(typed: str) -> float | str:
    """Return a number; other text as it is, so that the API names the field."""
    try:
        return float(typed)
    except ValueError:
        return typed


def _path(code: str) -> str:
    return f"/v1/branches/{segment(code)}"


def _service_path(code: str, service: str) -> str:
    return f"{_path(code)}/services/{segment(service)}"


def _week(request: PageRequest) -> list[dict[str, Any]]:
    """Return the hours of a form: for each weekday spans such as `09:00-13:00, 14:00-18:00`."""
    week = []
    for weekday in WEEKDAYS:
        for span in filter(None, request.text(f"hours-{weekday}").split(",")):
            opens, _, closes = span.partition("-")
            week.append({"weekday": weekday, "opens": opens.strip(), "closes": closes.strip()})
    return week


async def _outcome(request: PageRequest, code: str, reply: Reply, message: str) -> Response:
    if reply.done:
        return request.go(f"/desk/libraries/{segment(code)}", message)
    if reply.status in (404, 409, 422):
        return await _library(request, code, reply)
    raise reply.failure()


async def _library(request: PageRequest, code: str, refused: Reply | None = None) -> Response:
    found, delay = await asyncio.gather(
        request.api.get(_path(code), on=LONG_AGO), request.api.get(f"{_path(code)}/ready-delay")
    )
    branch = found.json()
    outcome = forms.outcomes(request, refused, "names", "place", "hours", "removal", "ready-delay")
    return request.page(
        "libraries/desk-library.html",
        branch=in_language(branch, request.language.code),
        first_name=branch["name"],
        languages=LANGUAGES,
        service_names=SERVICES,
        reasons=PERIOD_REASONS,
        weekdays=WEEKDAYS,
        place_fields=PLACE,
        delay=delay.json_or(None),
        longest=LONGEST_DELAY,
        **outcome,
    )
