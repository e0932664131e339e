"""The clock: the only module that reads the wall clock. All other code is passed a time."""

from datetime import UTC, date, datetime
from typing import TypeVar
from zoneinfo import ZoneInfo

D = TypeVar("D", bound=date)

SKEW_SECONDS = 30
"""Seconds that two clocks may differ: of two services, or of a process and its database."""


def wall_clock() -> datetime:
    """Return the present instant, UTC."""
    return datetime.now(UTC)


def library_day(instant: datetime, zone: ZoneInfo) -> date:
    """Return the date in the library's time zone at `instant`."""
    return instant.astimezone(zone).date()


_years = 100


def bound_dates(years: int) -> None:
    """Accept dates up to `years` years before and after today. Call once, at start."""
    global _years  # noqa: PLW0603 - one for the process: models don't know their app
    _years = years


def bounded(value: D, *, derived: bool = False) -> D:
    """Return an incoming date or instant if it is near enough to today. Raises ValueError.

    A date that is `derived`, as in events, may be twice as far away: a due date is later than
    the day from which it was calculated.
    """
    if abs(value.year - wall_clock().year) > _years * (2 if derived else 1):
        raise ValueError(f"a date lies within {_years} years of today")
    return value


def parse_instant(text: str) -> datetime:
    """Return an ISO 8601 instant as UTC.

    Raises ValueError if it is malformed, has no offset, or is too far from today.
    """
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError("a time needs its offset, as in 2021-03-05T10:00:00+08:00")
    return bounded(instant, derived=True).astimezone(UTC)
