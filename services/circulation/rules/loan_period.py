"""Loan periods: when a loan made or renewed under a policy row is due."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from services.circulation.rules.calendar import DAY, Calendar
from services.circulation.rules.policy import Policy
from services.circulation.rules.terms import HOURS_OF_DAY, MINUTES_OF_DAY

MOST_PROMISED_DAYS = 31
"""Most days that a due date which a station promised adds to the computed one."""


@dataclass(frozen=True, slots=True)
class LocalTime:
    """An instant, and its time of day in the library's time zone."""

    at: datetime
    """UTC."""
    minute: int
    """Minutes after midnight."""


@dataclass(frozen=True, slots=True)
class Due:
    """A due date; `time` is the time of day from which a loan by hours is overdue."""

    on: date
    time: LocalTime | None = None

    def is_later(self, other: "Due") -> bool:
        """Return whether this is later; without a time, a loan is due at the end of its day."""
        return (self.on, _minute(self)) > (other.on, _minute(other))

    def moved_to(self, day: date) -> "Due":
        """Return it at the same time of another day."""
        if self.time is None or day == self.on:
            return Due(day, self.time)
        return Due(day, LocalTime(self.time.at + (day - self.on), self.time.minute))


def first_due(policy: Policy, calendar: Calendar, since: Due) -> Due:
    """Return when a loan made at `since` is due. `calendar` is the lending branch's."""
    due = _due(policy, calendar, since, policy.loan_days, policy.loan_hours)
    return _capped(due, policy, since, calendar)


def promised_due(due: Due, promised: Due, calendar: Calendar) -> Due:
    """Return the later of the computed due date and the one that an offline station promised.

    The borrower goes by the date on the receipt: SIP2 calls it `nb due date`, "the no block due
    date that articles were given during off-line operation". The station computed it from rules
    that it had before. A promise counts for MOST_PROMISED_DAYS at most, about one more loan period:
    so a station with a wrong clock, or a hostile one, can't give years.
    """
    promised = promised if due.time else Due(promised.on)
    if not promised.is_later(due):
        return due
    day = min(promised.on, due.on + MOST_PROMISED_DAYS * DAY)
    return promised.moved_to(calendar.next_open(day) or day)


def renewed_due(policy: Policy, calendar: Calendar, present: Due, now: Due) -> Due:
    """Return when a loan due at `present` is due if it is renewed at `now`.

    The period of an overdue loan counts from now, whatever the row says: the days before are paid.
    """
    since = present if policy.renewal_from_due_date and present.is_later(now) else now
    hours = (
        policy.renewal_hours if policy.loan_hours and policy.renewal_hours else policy.loan_hours
    )
    return _capped(
        _due(policy, calendar, since, policy.renewal_days, hours), policy, since, calendar
    )


def _due(policy: Policy, calendar: Calendar, since: Due, days: int, hours: int | None) -> Due:
    """Return the end of a period on an open day, or on a closed one if no reopening is announced.

    A period of hours of which the time of its beginning is not known has whole days.
    """
    if hours is not None and since.time is not None:
        end = since.time.minute + hours * 60
        ends_on = since.on + (end // MINUTES_OF_DAY) * DAY
        time = LocalTime(since.time.at + timedelta(hours=hours), end % MINUTES_OF_DAY)
        return Due(ends_on, time).moved_to(calendar.next_open(ends_on) or ends_on)
    if hours is not None:
        days = -(-hours // HOURS_OF_DAY)
    fixed = next((day for day in policy.fixed_due_dates if day > since.on), None)
    if fixed is not None:
        return Due(calendar.next_open(fixed) or fixed)
    if policy.counts_open_days:
        return Due(calendar.open_day_after(since.on, days) or since.on + days * DAY)
    return Due(calendar.due_date(since.on, days))


def _capped(due: Due, policy: Policy, since: Due, calendar: Calendar) -> Due:
    """Return the due date, or an earlier one so that it is not after the row's latest.

    If the branch is closed on the latest date, the last open day before it, if one is left.
    """
    latest = next((day for day in policy.latest_due_dates if day > since.on), None)
    if latest is None or due.on <= latest:
        return due
    before = calendar.previous_open(latest)
    if before is None or before <= since.on:
        before = calendar.next_open(latest) or latest
    return Due(min(before, due.on))


def _minute(due: Due) -> int:
    return MINUTES_OF_DAY if due.time is None else due.time.minute
