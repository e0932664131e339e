"""The route of patrons' calendar feeds."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from services.gateway.edge import calendars
from shared.http.dependencies import BusinessTime
from shared.refusals import refuses

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
@refuses(calendars.NO_SUCH_CALENDAR)
async def get_calendar(
    request: Request,
    secret: Annotated[str, Path(max_length=200, description="The secret of the patron's link.")],
    now: BusinessTime,
) -> Response:
    """Get a patron's calendar feed by its secret link, without log-in.

    It has the due dates of loans, the last days to collect reservations, registrations for
    activities, and admission cards and booked sessions of study rooms, in the patron's language.
    """
    return await calendars.feed(request, secret, now)
