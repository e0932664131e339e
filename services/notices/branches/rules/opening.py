"""When a branch, or one of its services, closes and opens next, in the library's time zone."""

from datetime import date, datetime, time, timedelta, tzinfo

from services.notices.branches.rules.branch import Branch, day_of, opens_after_closure
from services.notices.branches.rules.hours import Hours, ServiceHours

MOST_DAYS = 14
"""Number of days, beside those of closures, that are searched for the next opening."""


def hours_on(branch: Branch, day: date, service: ServiceHours | None = None) -> tuple[Hours, ...]:
    """Return the hours of a branch, or of one of its services, on a day.

    A service with hours of its own keeps them whatever the hours of the branch are, but has none
    while the branch is closed by a closure.
    """
    found = day_of(branch, day)
    return found.hours if service is None or found.closure else service.hours_on(day)


def open_until(
    branch: Branch, at: datetime, service: ServiceHours | None = None
) -> datetime | None:
    """Return when a branch, or a service, that is open at a time closes next; None if closed then.

    Hours that begin when others end continue them, also over midnight, at most MOST_DAYS times.
    """
    until = at
    for _ in range(MOST_DAYS):
        closes = _end_of_hours(branch, until, service)
        if closes is None:
            break
        until = closes
    return until if until != at else None


def next_opening(
    branch: Branch, at: datetime, service: ServiceHours | None = None
) -> datetime | None:
    """Return when a branch, or a service, opens next after a time; None if that is not announced.

    Days of closures, and periods in which the service is closed, are skipped.
    """
    day: date | None = at.date()
    for _ in range(MOST_DAYS):
        if day is not None and service is not None:
            day = service.may_open_from(day)
        if day is not None and day_of(branch, day).closure is not None:
            day = opens_after_closure(branch, day)
        if day is None:
            return None
        begins = [_moment(day, one.opens, at.tzinfo) for one in hours_on(branch, day, service)]
        later = [begin for begin in begins if begin > at]
        if later:
            return min(later)
        day += timedelta(days=1)
    return None


def _end_of_hours(branch: Branch, at: datetime, service: ServiceHours | None) -> datetime | None:
    """Return the end of the hours in which a time lies; None if it lies in none."""
    day = at.date()
    for hours in hours_on(branch, day, service):
        closes = _moment(day, hours.closes, at.tzinfo)
        if _moment(day, hours.opens, at.tzinfo) <= at < closes:
            return closes
    return None


def _moment(day: date, clock: str, zone: tzinfo | None) -> datetime:
    """Return a clock time of a day, at most "24:00"."""
    hour, minute = (int(part) for part in clock.split(":"))
    midnight = day + timedelta(days=hour // 24)
    return datetime.combine(midnight, time(hour % 24, minute), zone)
