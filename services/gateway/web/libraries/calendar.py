"""Desk page of the calendar of a library: a year of closures, hours and suspensions of fines."""

import asyncio
import calendar
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from fastapi import Response

from services.gateway.web import forms
from services.gateway.web.api import segment
from services.gateway.web.branches import branch_names
from services.gateway.web.page_request import DeskRequest, Today
from services.gateway.web.pages import Pages
from shared.translations import marked

router = Pages(menus={"staff": [("/desk/calendar", marked("Calendar"))]})

Sign = Literal["open", "shut", "weekly", "other"]
"""`shut`: by a closure. `weekly`: no hours on this day. `other`: hours unlike the usual ones."""
FIRST_YEAR, LAST_YEAR = 1990, 2100


@dataclass(frozen=True)
class Cell:
    """A day in the picture of a month."""

    on: date
    sign: Sign
    closure: str
    """Id of the closure; "" if none closes the library."""
    free: bool
    """True if fines are suspended."""


@router.get("/desk/calendar")
async def get_calendar(
    request: DeskRequest, today: Today, library: str = "", year: str = ""
) -> Response:
    """Show a year of a library, at first this year of the library of the desk."""
    names = await branch_names(request.api)
    chosen = library if library in names else forms.desk_branch(request, names)
    shown = min(max(int(year), FIRST_YEAR), LAST_YEAR) if _is_year(year) else today.year
    if not chosen:
        return request.page("libraries/desk-calendar.html", branches=names, chosen="", year=shown)
    path = f"/v1/branches/{segment(chosen)}"
    found, branch, asked = await asyncio.gather(
        request.api.get(f"{path}/calendar", year=str(shown)),
        request.api.get(path),
        request.api.get("/v1/fine-suspensions"),
    )
    days, library_now = found.json(), branch.json()
    suspensions = [
        one
        for one in (asked.json()["items"] if asked.done else [])
        if _concerns(one, library_now) and _overlaps(one, shown)
    ]
    return request.page(
        "libraries/desk-calendar.html",
        branches=names,
        chosen=chosen,
        year=shown,
        today=today,
        months=_months(days["days"], library_now["weekly_hours"], suspensions),
        weekly_hours=library_now["weekly_hours"],
        other_hours=_other_hours(days["days"], library_now["weekly_hours"]),
        closures={one["id"]: one for one in days["closures"]},
        suspensions=suspensions,
    )


def _is_year(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) == 4


def _concerns(suspension: Mapping[str, Any], branch: Mapping[str, Any]) -> bool:
    codes, kinds = suspension["branches"], suspension["kinds"]
    return not (codes or kinds) or branch["code"] in codes or branch["kind"] in kinds


def _overlaps(suspension: Mapping[str, Any], year: int) -> bool:
    first, end = suspension["starts_on"], suspension["resumes_on"]
    return first <= f"{year}-12-31" and (end is None or (end > f"{year}-01-01" and end > first))


def _months(
    days: Sequence[Mapping[str, Any]],
    usual: Sequence[Mapping[str, Any]],
    suspensions: Sequence[Mapping[str, Any]],
) -> list[list[list[Cell | None]]]:
    """Return the weeks of each month, from Monday on; None for a day of another month."""
    cells = {day["on"]: _cell(day, usual, suspensions) for day in days}
    year = int(days[0]["on"][:4])
    weeks_of = calendar.Calendar().monthdatescalendar
    return [
        [
            [cells[day.isoformat()] if day.month == month else None for day in week]
            for week in weeks_of(year, month)
        ]
        for month in range(1, 13)
    ]


def _cell(
    day: Mapping[str, Any],
    usual: Sequence[Mapping[str, Any]],
    suspensions: Sequence[Mapping[str, Any]],
) -> Cell:
    on = date.fromisoformat(day["on"])
    free = any(
        one["starts_on"] <= day["on"]
        and (one["resumes_on"] is None or day["on"] < one["resumes_on"])
        for one in suspensions
    )
    return Cell(on, _sign(day, usual), day["closure"] or "", free)


def _sign(day: Mapping[str, Any], usual: Sequence[Mapping[str, Any]]) -> Sign:
    if day["closure"]:
        return "shut"
    if not day["hours"]:
        return "weekly"
    weekday = date.fromisoformat(day["on"]).isoweekday()
    as_usual = day["hours"] == [one for one in usual if one["weekday"] == weekday]
    return "open" if as_usual else "other"


def _other_hours(
    days: Sequence[Mapping[str, Any]], usual: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Return the spans of days that have other hours than usual, each with its hours of a week."""
    spans: list[dict[str, Any]] = []
    goes_on = False
    for day in days:
        sign = _sign(day, usual)
        if sign == "other":
            weekday, week = day["hours"][0]["weekday"], spans[-1]["week"] if goes_on else {}
            if goes_on and week.get(weekday, day["hours"]) == day["hours"]:
                spans[-1]["last"] = day["on"]
                week[weekday] = day["hours"]
            else:
                first = {"first": day["on"], "last": day["on"], "week": {weekday: day["hours"]}}
                spans.append(first)
        goes_on = sign == "other" or (goes_on and sign == "weekly")
    return [one | {"week": [part for of in one["week"].values() for part in of]} for one in spans]
