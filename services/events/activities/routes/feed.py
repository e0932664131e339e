"""The programme as an iCalendar feed (RFC 5545), for calendar subscriptions."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from fastapi import APIRouter, Response
from icalendar import Calendar, Event

from services.events.activities import queries
from services.events.activities.rules import Activity
from services.events.fields import ByBranch, ByType
from shared.http.dependencies import BusinessTime, Db

router = APIRouter(prefix="/v1", tags=["activities"])

FEED_BACK = timedelta(days=31)
"""Time for which past activities stay in the feed: calendars remove entries that the feed no longer
has."""
FEED_ENTRIES = 1000
_FEED = """\
BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Carrel//Activities//EN
BEGIN:VEVENT
UID:01765b0e-1f40-77a3-9be5-5c8d0e4f7a14
DTSTAMP:20210308T021500Z
SEQUENCE:0
DTSTART:20210327T070000Z
DTEND:20210327T083000Z
SUMMARY:Reading the Harbour: a Walk in Old Maps
LOCATION:Lecture Theatre
CATEGORIES:talk
STATUS:CONFIRMED
END:VEVENT
END:VCALENDAR
"""


@router.get(
    "/activities.ics",
    response_class=Response,
    responses={
        200: {
            "content": {"text/calendar": {"schema": {"type": "string"}, "example": _FEED}},
            "description": "A calendar in the iCalendar format (RFC 5545).",
        }
    },
)
async def get_feed(
    db: Db, now: BusinessTime, *, type_: ByType = None, branch: ByBranch = None
) -> Response:
    """Get a calendar feed to subscribe to, from activities of the last 31 days on."""
    found = await queries.activities(
        db, type_=type_, branch=branch, since=now - FEED_BACK, after=None, limit=FEED_ENTRIES
    )
    body = calendar([shown.activity for shown in found], now)
    return Response(body, media_type="text/calendar")


def calendar(activities: Iterable[Activity], now: datetime) -> bytes:
    """Build one calendar of the activities as they are at `now`. Times are UTC."""
    programme = Calendar()
    programme.add("version", "2.0")
    programme.add("prodid", "-//Carrel//Activities//EN")
    for activity in activities:
        programme.add_component(_entry(activity, now))
    written: bytes = programme.to_ical()
    return written


def _entry(activity: Activity, now: datetime) -> Event:
    about = (
        activity.speaker,
        activity.organiser,
        activity.language,
        activity.enquiries,
        activity.about.abstract,
        activity.about.remarks,
    )
    entry = Event()
    entry.add("uid", activity.id)
    entry.add("dtstamp", now)
    entry.add("sequence", activity.version - 1)
    entry.add("dtstart", activity.starts_at)
    if activity.ends_at is not None:
        entry.add("dtend", activity.ends_at)
    entry.add("summary", _printable(activity.title))
    entry.add("location", _printable(activity.venue))
    entry.add("description", _printable("\n".join(line for line in about if line)))
    entry.add("categories", [activity.type])
    entry.add("status", "CANCELLED" if activity.cancelled_at else "CONFIRMED")
    return entry


def _printable(text: str) -> str:
    """Remove control characters, which a calendar may not contain (RFC 5545, section 3.1)."""
    return "".join(character for character in text if character.isprintable() or character == "\n")
