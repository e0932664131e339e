"""A patron's calendar feed as an iCalendar object (RFC 5545), found by its secret link."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal

import icalendar
import orjson
from fastapi import APIRouter, Path, Request, Response

from services.gateway.settings import Settings
from services.gateway.views.open_items import (
    open_admissions,
    open_bookings,
    open_holds,
    open_loans,
    open_registrations,
)
from services.gateway.views.overviews import in_time
from services.gateway.views.store import reads
from services.gateway.web.languages import LANGUAGES, Language, worded
from services.gateway.web.words import ACTIVITY_TYPES, CALENDAR, CALENDAR_TITLES
from shared.deadlines import allowed
from shared.http.conditional import conditional
from shared.http.dependencies import BusinessTime
from shared.http.problems import problem
from shared.refusals import PlainProblem, refuses

BACK = timedelta(days=31)
"""Time for which past activities and sessions stay in the feed.

Calendars remove what it no longer has.
"""
DAY = timedelta(days=1)

Kind = Literal["loan", "hold", "registration", "admission", "booking"]


@dataclass(frozen=True)
class Entry:
    """One entry. Days are whole days, whose `ends` is the day after the last one."""

    uid: str
    """Kind and id, the same in every answer."""
    sequence: int
    """Number of changes of what the entry shows."""
    kind: Kind
    starts: date | datetime
    ends: date | datetime | None
    title: str | None
    """Title of the item, activity or season; None: not known yet."""
    branch: str | None
    """Code of the branch to go to."""
    venue: str = ""
    activity_type: str = ""
    tentative: bool = False
    """True while the patron is on a waiting list."""


def entries(
    view: Mapping[str, Any] | None,
    activities: Mapping[str, Mapping[str, Any]],
    now: datetime,
) -> list[Entry]:
    """Return what the patron has to do or has a place for, the earliest first.

    `activities` has the known activities that the patron registered for, by id. Whatever has ended
    or is cancelled has no entry.
    """
    found = [
        *_loans(view),
        *_holds(view),
        *_admissions(view),
        *_bookings(view, now - BACK),
        *_registrations(view, activities, now - BACK),
    ]
    return sorted(found, key=lambda entry: (str(entry.starts), entry.uid))


def _entry(
    kind: Kind, key: str, row: Mapping[str, Any], span: tuple[Any, Any], title: str | None
) -> Entry:
    return Entry(
        uid=f"{kind}-{key}",
        sequence=row["version"] - 1,
        kind=kind,
        starts=span[0],
        ends=span[1],
        title=title,
        branch=row["pickup_branch"] if kind == "hold" else row["branch"],
    )


def _loans(view: Mapping[str, Any] | None) -> Iterator[Entry]:
    for key, loan in open_loans(view).items():
        due = date.fromisoformat(loan["due_on"])
        yield _entry("loan", key, loan, (due, due + DAY), loan["title"])


def _holds(view: Mapping[str, Any] | None) -> Iterator[Entry]:
    for key, hold in open_holds(view).items():
        if hold["state"] == "ready" and hold["expires_on"]:
            last = date.fromisoformat(hold["expires_on"])
            yield _entry("hold", key, hold, (last, last + DAY), hold["title"])


def _admissions(view: Mapping[str, Any] | None) -> Iterator[Entry]:
    for key, card in open_admissions(view).items():
        if card["state"] == "granted":
            starts, last = map(date.fromisoformat, (card["valid_from"], card["valid_until"]))
            yield _entry("admission", key, card, (starts, last + DAY), card["season"])


def _bookings(view: Mapping[str, Any] | None, since: datetime) -> Iterator[Entry]:
    for key, booking in open_bookings(view).items():
        if booking["ends_at"] >= since:
            yield _entry("booking", key, booking, (booking["starts_at"], booking["ends_at"]), None)


def _registrations(
    view: Mapping[str, Any] | None, activities: Mapping[str, Mapping[str, Any]], since: datetime
) -> Iterator[Entry]:
    for key, one in open_registrations(view).items():
        activity = activities.get(one["activity_id"])
        if activity is None or activity.get("cancelled") or activity["last_at"] < since:
            continue
        starts, last = activity["starts_at"], activity["last_at"]
        yield Entry(
            uid=f"registration-{key}",
            # Both only grow, and so does their sum: moving an activity changes its version alone.
            sequence=one["version"] + activity["version"] - 2,
            kind="registration",
            starts=starts,
            ends=last if last > starts else None,
            title=activity["title"],
            branch=activity["branch"],
            venue=activity["venue"],
            activity_type=activity["type"],
            tentative=one["state"] == "waitlisted",
        )


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
        summary = language.say(CALENDAR_TITLES[entry.kind]) % {"title": entry.title}
    else:
        summary = language.say(ACTIVITY_TYPES.get(entry.activity_type, CALENDAR[entry.kind]))
    if entry.tentative:
        summary = language.say(CALENDAR["tentative"]) % {"activity": summary}
    return summary


def _printable(text: str) -> str:
    """Remove control characters, which a calendar may not contain (RFC 5545, section 3.1)."""
    return "".join(character for character in text if character.isprintable())


router = APIRouter()

_FEED = """\
BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Carrel//My Account//EN
BEGIN:VEVENT
UID:loan-0176022c-1d40-7c51-9a0e-5b7f3e0a4c11
DTSTAMP:20210308T021500Z
SEQUENCE:1
DTSTART;VALUE=DATE:20210322
DTEND;VALUE=DATE:20210323
SUMMARY:Return a library item
LOCATION:Hong Kong Central Library
STATUS:CONFIRMED
TRANSP:TRANSPARENT
END:VEVENT
END:VCALENDAR
"""


@router.get(
    "/v1/calendars/{secret}.ics",
    tags=["calendar"],
    response_class=Response,
    responses={
        200: {
            "content": {"text/calendar": {"schema": {"type": "string"}, "example": _FEED}},
            "description": "A calendar in the iCalendar format (RFC 5545).",
        },
        304: {"description": "The calendar has not changed since the caller's (If-None-Match)."},
    },
)
@refuses(NO_SUCH_CALENDAR)
async def get_calendar(
    request: Request,
    secret: Annotated[str, Path(max_length=200, description="The secret of the patron's link.")],
    now: BusinessTime,
) -> Response:
    """Get a patron's calendar feed by its secret link, without log-in.

    It has the due dates of loans, the last days to collect reservations, registrations for
    activities, and admission cards and booked sessions of study rooms, in the patron's language.
    """
    return await feed(request, secret, now)
