"""A patron's calendar feed as an iCalendar object (RFC 5545), found by its secret link."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import icalendar
import orjson
from fastapi import Request, Response

from services.gateway.settings import Settings
from services.gateway.views.calendar import Entry, entries
from services.gateway.views.open_items import open_registrations
from services.gateway.views.overview_service import in_time
from services.gateway.views.store import reads
from services.gateway.web.languages import LANGUAGES, Language, worded
from services.gateway.web.words import ACTIVITY_TYPES, CALENDAR, CALENDAR_TITLES
from shared.deadlines import allowed
from shared.http.conditional import conditional
from shared.http.problems import problem
from shared.refusals import PlainProblem

HEADERS = {
    # Asked for each time, so that an ended link stops at once.
    "Cache-Control": "private, no-cache",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
}
LOOKUP_SECONDS = 1.0
NO_SUCH_CALENDAR = PlainProblem("no-such-calendar", 404)
READ_AGAIN = timedelta(hours=1)
"""Pause between two reads that the feed suggests to calendars (RFC 7986, section 5.7)."""


async def feed(request: Request, secret: str, now: datetime) -> Response:
    """Return the feed whose link has this secret, or 404 if there is none. Raises OwnerAway."""
    app = request.app
    question = orjson.dumps({"secret": secret})
    owner = await app.state.owners.ask(
        "accounts", "/v1/calendar-lookups", question, now=now, within=allowed(LOOKUP_SECONDS)
    )
    if owner is None:
        return problem(NO_SUCH_CALENDAR, "There is no such calendar. Its link may have ended.")
    body = await in_time(_written(app, owner, now))
    return conditional(request, body, "text/calendar", modified=None, headers=HEADERS)


async def _written(app: Any, owner: Mapping[str, Any], now: datetime) -> bytes:
    database, patron_id = app.state.database, owner["patron_id"]
    await app.state.own_writes.write_held_of(patron_id)
    view, stamps = await reads.account_view(database, patron_id)
    registered = {one["activity_id"] for one in open_registrations(view).values()}
    activities = await reads.some_activities(database, sorted(registered))
    own = {key: worded(one, owner["language"]) for key, one in activities.items()}
    found = entries(view, own, now)
    branches = sorted({entry.branch for entry in found if entry.branch})
    names = await reads.branch_names(database, branches, owner["language"])
    return calendar(
        found,
        names,
        LANGUAGES[owner["language"]],
        app.state.settings,
        with_titles=owner["with_titles"],
        changed_at=reads.changed_at(stamps) or now,
    )


def calendar(
    found: Iterable[Entry],
    names: Mapping[str, str],
    language: Language,
    settings: Settings,
    *,
    with_titles: bool,
    changed_at: datetime,
) -> bytes:
    """Return the entries as one calendar. Times are UTC; `names` has the branches' by code."""
    made = icalendar.Calendar()
    made.add("version", "2.0")
    made.add("prodid", "-//Carrel//My Account//EN")
    made.add("calscale", "GREGORIAN")
    name = language.say(CALENDAR["name"])
    for field in ("name", "x-wr-calname"):
        made.add(field, name)
    made.add("x-wr-timezone", str(settings.zone))
    made.add("refresh-interval", READ_AGAIN, parameters={"VALUE": "DURATION"})
    made.add("x-published-ttl", READ_AGAIN)
    for entry in found:
        component = icalendar.Event()
        component.add("uid", entry.uid)
        component.add("dtstamp", changed_at)
        component.add("sequence", entry.sequence)
        component.add("dtstart", entry.starts)
        if entry.ends is not None:
            component.add("dtend", entry.ends)
        component.add("summary", _printable(_summary(entry, language, with_titles=with_titles)))
        places = [entry.venue, names.get(entry.branch, entry.branch) if entry.branch else ""]
        if place := ", ".join(_printable(one) for one in places if one):
            component.add("location", place)
        component.add("status", "TENTATIVE" if entry.tentative else "CONFIRMED")
        # A day on which something is due takes up no time of it.
        timed = isinstance(entry.starts, datetime)
        component.add("transp", "OPAQUE" if timed else "TRANSPARENT")
        if settings.public_url:
            component.add("url", f"{settings.public_url}/")
        made.add_component(component)
    written: bytes = made.to_ical()
    return written


def _summary(entry: Entry, language: Language, *, with_titles: bool) -> str:
    if with_titles and entry.title:
        said = language.say(CALENDAR_TITLES[entry.kind]) % {"title": entry.title}
    else:
        said = language.say(ACTIVITY_TYPES.get(entry.activity_type, CALENDAR[entry.kind]))
    if entry.tentative:
        said = language.say(CALENDAR["tentative"]) % {"activity": said}
    return said


def _printable(text: str) -> str:
    """Remove control characters, which a calendar may not contain (RFC 5545, section 3.1)."""
    return "".join(character for character in text if character.isprintable())
