"""The programme as an iCalendar object (RFC 5545), for calendar subscriptions."""

from collections.abc import Iterable
from datetime import datetime

from icalendar import Calendar, Event

from services.events.domain.activity import Activity


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
