"""Desk page of a library: its names, and the hours of its services."""

from datetime import date
from typing import Any

from fastapi import APIRouter, Response

from services.gateway.web.api import Reply, segment
from services.gateway.web.branches import in_language
from services.gateway.web.desk import forms
from services.gateway.web.languages import LANGUAGES
from services.gateway.web.session import FlashMessage
from services.gateway.web.visit import DeskVisit, Visit
from services.gateway.web.words import PERIOD_REASONS, SERVICES

router = APIRouter(include_in_schema=False)

WEEKDAYS = range(1, 8)
LONG_AGO = date(2000, 1, 1).isoformat()
"""A day on which no period is over, so that all are shown."""


@router.get("/desk/libraries/{code}")
async def get_library(visit: DeskVisit, code: str) -> Response:
    """Show the names of a library and the hours of its services, with the forms to change them."""
    return await _library(visit, code)


@router.post("/desk/libraries/{code}/names")
async def post_names(visit: DeskVisit, code: str) -> Response:
    """Change the names."""
    typed = {language: visit.text(f"name-{language}") for language in LANGUAGES}
    names = {language: name for language, name in typed.items() if name}
    body = {"name": visit.text("name"), "names": names}
    reply = await visit.api.send("PUT", f"{_path(code)}/names", body, key=visit.key)
    return await _outcome(visit, code, reply, "names-saved")


@router.post("/desk/libraries/{code}/hours")
async def post_hours(visit: DeskVisit, code: str) -> Response:
    """Set the usual hours of a service or, with days, those of a period or a special day."""
    first = visit.text("first_day") or visit.text("until")
    path = _service_path(code, visit.text("service"))
    body: dict[str, Any] = {"hours": _week(visit)}
    if first:
        path += f"/periods/{segment(first)}"
        body |= {"until": visit.text("until") or first, "reason": visit.text("reason")}
    reply = await visit.api.send("PUT", path, body, key=visit.key)
    return await _outcome(visit, code, reply, "hours-saved")


@router.post("/desk/libraries/{code}/removal")
async def post_removal(visit: DeskVisit, code: str) -> Response:
    """Remove a period of a service, or all hours of its own."""
    first = visit.text("first_day")
    path = _service_path(code, visit.text("service"))
    path += f"/periods/{segment(first)}" if first else ""
    reply = await visit.api.send("DELETE", path, key=visit.key)
    return await _outcome(visit, code, reply, "hours-removed")


def _path(code: str) -> str:
    return f"/v1/branches/{segment(code)}"


def _service_path(code: str, service: str) -> str:
    return f"{_path(code)}/services/{segment(service)}"


def _week(visit: Visit) -> list[dict[str, Any]]:
    """Return the hours of a form: for each weekday spans such as `09:00-13:00, 14:00-18:00`."""
    week = []
    for weekday in WEEKDAYS:
        for span in filter(None, visit.text(f"hours-{weekday}").split(",")):
            opens, _, closes = span.partition("-")
            week.append({"weekday": weekday, "opens": opens.strip(), "closes": closes.strip()})
    return week


async def _outcome(visit: Visit, code: str, reply: Reply, said: str) -> Response:
    if reply.done:
        return visit.go(f"/desk/libraries/{segment(code)}", FlashMessage(said, {}))
    if reply.status in (404, 409, 422):
        return await _library(visit, code, reply)
    raise reply.failure()


async def _library(visit: Visit, code: str, refused: Reply | None = None) -> Response:
    branch = (await visit.api.get(_path(code), on=LONG_AGO)).json()
    outcome = forms.outcomes(visit, refused, "names", "hours", "removal")
    return visit.page(
        "desk/library.html",
        branch=in_language(branch, visit.language.code),
        first_name=branch["name"],
        languages=LANGUAGES,
        service_names=SERVICES,
        reasons=PERIOD_REASONS,
        weekdays=WEEKDAYS,
        **outcome,
    )
