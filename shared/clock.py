"""The edge of time: the only file that reads the wall clock. Everything else is handed a time."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

SKEW_SECONDS = 30
"""How far apart two clocks may be: of two services, and of a process and its database."""


def wall_clock() -> datetime:
    """The present instant, UTC."""
    return datetime.now(UTC)


def library_day(instant: datetime, zone: ZoneInfo) -> date:
    """The date in the library's time zone at `instant`."""
    return instant.astimezone(zone).date()


def parse_instant(text: str) -> datetime:
    """An ISO 8601 instant as UTC. Raises ValueError if it is malformed or has no offset."""
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError("a time needs its offset, as in 2021-03-05T10:00:00+08:00")
    return instant.astimezone(UTC)
