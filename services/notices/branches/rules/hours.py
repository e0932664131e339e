"""Opening hours of branches and of their services, and delays of ready holds."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Literal

from services.notices.branches.refusals import BadHours, BadPeriod, NoSuchPeriod, TooManyPeriods

ServiceName = Literal["adult", "young-adult", "children", "reference", "study-room", "book-drop"]
PeriodReason = Literal["examinations", "public-holiday", "school-holidays", "works", "other"]

MOST_PERIODS = 60
"""Number of periods that one service may have."""
LONGEST_MINUTES = 240


@dataclass(frozen=True)
class Hours:
    """One period of opening hours; a weekday may have several, and is closed without any."""

    weekday: int
    """0 is Monday, as in `branch.*` events and in the database; the API counts from 1 (082)."""
    opens: str
    """Time of opening, such as `09:00`."""
    closes: str
    """Time of closing, such as `20:00`; `24:00` is the end of the day."""


@dataclass(frozen=True)
class Period:
    """Days on which a service has other hours than usual, such as those before examinations."""

    starts_on: date
    ends_on: date
    """Last day of the period; a special day is a period of one day."""
    reason: PeriodReason
    hours: tuple[Hours, ...]
    """Weekly hours during the period; without any the service is closed."""

    def covers(self, day: date) -> bool:
        """Return whether the period has this day."""
        return self.starts_on <= day <= self.ends_on


@dataclass(frozen=True)
class ServiceHours:
    """A service of a branch with hours of its own, such as its study room."""

    service: ServiceName
    hours: tuple[Hours, ...] = ()
    """The usual weekly hours."""
    periods: tuple[Period, ...] = ()
    """In the order of their days; they have no day in common."""

    def period_on(self, day: date) -> Period | None:
        """Return the period that has a day, or None."""
        return next((one for one in self.periods if one.covers(day)), None)

    def hours_on(self, day: date) -> tuple[Hours, ...]:
        """Return the hours of a day, without regard to closures of the branch."""
        period = self.period_on(day)
        hours = self.hours if period is None else period.hours
        return tuple(one for one in hours if one.weekday == day.weekday())

    def may_open_from(self, day: date) -> date | None:
        """Return the first day, from `day` on, of a week with any hours; None if there is none."""
        if (period := self.period_on(day)) is not None:
            return day if period.hours else self.may_open_from(period.ends_on + timedelta(days=1))
        if self.hours:
            return day
        starts = [one.starts_on for one in self.periods if one.starts_on > day and one.hours]
        return min(starts, default=None)


def checked_hours(hours: Iterable[Hours]) -> tuple[Hours, ...]:
    """Return the hours in order of the week. Raises BadHours for an early end or an overlap."""
    ordered = tuple(sorted(hours, key=lambda h: (h.weekday, h.opens)))
    for one in ordered:
        if one.opens >= one.closes:
            raise BadHours(what=f"Hours end before they begin: {one.opens} to {one.closes}.")
    for one, following in pairwise(ordered):
        if one.weekday == following.weekday and following.opens < one.closes:
            raise BadHours(what=f"Hours of one day overlap: {one.opens} and {following.opens}.")
    return ordered


def with_period(service: ServiceHours, period: Period) -> ServiceHours:
    """Return a service with a period, which replaces the one that starts on the same day.

    Raises BadPeriod if it ends before it starts or has a day in common with another one, BadHours
    or TooManyPeriods.
    """
    others = [one for one in service.periods if one.starts_on != period.starts_on]
    if period.ends_on < period.starts_on or any(
        one.starts_on <= period.ends_on and period.starts_on <= one.ends_on for one in others
    ):
        raise BadPeriod
    if len(others) >= MOST_PERIODS:
        raise TooManyPeriods
    checked = replace(period, hours=checked_hours(period.hours))
    ordered = sorted((*others, checked), key=lambda one: one.starts_on)
    return replace(service, periods=tuple(ordered))


def without_period(service: ServiceHours, starts_on: date) -> ServiceHours:
    """Return a service without the period that starts on a day. Raises NoSuchPeriod."""
    left = tuple(one for one in service.periods if one.starts_on != starts_on)
    if len(left) == len(service.periods):
        raise NoSuchPeriod
    return replace(service, periods=left)


@dataclass(frozen=True)
class ReadyDelay:
    """Minutes after which patrons are told that an item is ready at a branch."""

    id: str
    """The branch code."""
    version: int
    minutes: int
    set_by: str
    """Name of the librarian."""
    set_at: datetime


def set_to(
    before: ReadyDelay | None, branch: str, minutes: int, librarian: str, at: datetime
) -> ReadyDelay:
    """Return the delay of a branch, which replaces the one before."""
    version = 1 if before is None else before.version + 1
    return ReadyDelay(branch, version, minutes, librarian, at)
