"""The programme as an iCalendar object (RFC 5545), for calendars that subscribe to it."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from services.events.domain.activity import Activity

LINE_OCTETS = 75
"""Longer lines are folded (section 3.1)."""


def calendar(activities: Iterable[Activity], now: datetime) -> str:
    """The activities as one calendar, as they are at `now`. Times are UTC."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Carrel//Activities//EN"]
    for activity in activities:
        lines += _entry(activity, now)
    lines.append("END:VCALENDAR")
    return "".join(f"{part}\r\n" for line in lines for part in _folded(line))


def _entry(activity: Activity, now: datetime) -> Iterator[str]:
    about = (activity.speaker, activity.organiser, activity.language, activity.enquiries)
    yield "BEGIN:VEVENT"
    yield f"UID:{activity.id}"
    yield f"DTSTAMP:{_time(now)}"
    yield f"SEQUENCE:{activity.version - 1}"
    yield f"DTSTART:{_time(activity.starts_at)}"
    if activity.ends_at is not None:
        yield f"DTEND:{_time(activity.ends_at)}"
    yield f"SUMMARY:{_text(activity.title)}"
    yield f"LOCATION:{_text(activity.venue)}"
    yield f"DESCRIPTION:{_text(chr(10).join(line for line in about if line))}"
    yield f"CATEGORIES:{_text(activity.type)}"
    yield f"STATUS:{'CANCELLED' if activity.cancelled_at else 'CONFIRMED'}"
    yield "END:VEVENT"


def _time(instant: datetime) -> str:
    return f"{instant:%Y%m%dT%H%M%SZ}"


def _text(value: str) -> str:
    """A value as TEXT (section 3.3.11): what ends it is escaped, what may not be in it goes."""
    for plain, escaped in (("\\", "\\\\"), (";", "\\;"), (",", "\\,"), ("\n", "\\n")):
        value = value.replace(plain, escaped)
    return "".join(character for character in value if character.isprintable())


def _folded(line: str) -> Iterator[str]:
    """The line in parts of at most LINE_OCTETS, of which all but the first begin with a blank."""
    part = ""
    for character in line:
        if len(f"{part}{character}".encode()) > LINE_OCTETS:
            yield part
            part = " "
        part += character
    yield part
