"""The calendar feed of activities."""

from datetime import timedelta

from fastapi import APIRouter, Response

from services.events import queries
from services.events.feed import calendar
from services.events.routes.fields import ByBranch, ByType
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
