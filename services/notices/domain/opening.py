"""When a branch closes next, and when it opens next. All times are in the library's time zone."""

from datetime import date, datetime, time, timedelta, tzinfo

from services.notices.domain.branch import Branch, day_of, opens_after_closure

MOST_DAYS = 14
"""Number of days, beside those of closures, that are searched for the next opening."""


def open_until(branch: Branch, at: datetime) -> datetime | None:
    """Return when a branch that is open at a time closes next; None if it is closed then.

    Hours that begin when others end continue them, also over midnight, at most MOST_DAYS times.
    """
    until = at
    for _ in range(MOST_DAYS):
        closes = _end_of_hours(branch, until)
        if closes is None:
            break
        until = closes
    return until if until != at else None


def next_opening(branch: Branch, at: datetime) -> datetime | None:
    """Return when a branch opens next after a time; None if no such day is announced."""
    day: date | None = at.date()
    for _ in range(MOST_DAYS):
        if day is not None and day_of(branch, day).closure is not None:
            day = opens_after_closure(branch, day)
        if day is None:
            return None
        begins = [_moment(day, hours.opens, at.tzinfo) for hours in day_of(branch, day).hours]
        later = [begin for begin in begins if begin > at]
        if later:
            return min(later)
        day += timedelta(days=1)
    return None


def _end_of_hours(branch: Branch, at: datetime) -> datetime | None:
    """Return the end of the hours in which a time lies; None if it lies in none."""
    day = at.date()
    for hours in day_of(branch, day).hours:
        closes = _moment(day, hours.closes, at.tzinfo)
        if _moment(day, hours.opens, at.tzinfo) <= at < closes:
            return closes
    return None


def _moment(day: date, clock: str, zone: tzinfo | None) -> datetime:
    """Return a clock time of a day, at most "24:00"."""
    hour, minute = (int(part) for part in clock.split(":"))
    midnight = day + timedelta(days=hour // 24)
    return datetime.combine(midnight, time(hour % 24, minute), zone)
