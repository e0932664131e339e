"""Loan periods: days, open days, hours, fixed and latest dates, and renewals of each."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from services.circulation.rules.calendar import Calendar, Closure
from services.circulation.rules.loan_period import (
    Due,
    LocalTime,
    first_due,
    promised_due,
    renewed_due,
)
from services.circulation.rules.policy import Policy

FRIDAY = date(2021, 3, 5)
SUNDAYS = Calendar("HKCL", "central", frozenset({7}))
OPEN = Calendar("HKCL", "central")
CLOSED = replace(OPEN, closures=(Closure("c1", date(2021, 3, 10), None),))


def at(day: date, minute: int) -> Due:
    """A time of a day in Hong Kong, eight hours before UTC."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=8)
    return Due(day, LocalTime(midnight + timedelta(minutes=minute), minute))


def row(**terms: Any) -> Policy:
    return Policy(id="default", **terms)


def days(*dates: str) -> tuple[date, ...]:
    return tuple(date.fromisoformat(one) for one in dates)


TERM = {"fixed_due_dates": days("2021-06-30", "2022-01-31")}
LATEST = {"latest_due_dates": days("2021-03-14", "2021-06-30")}

FIRST = {
    "days": (row(loan_days=3), OPEN, "2021-03-08"),
    "days that end on a closed one": (row(loan_days=2), SUNDAYS, "2021-03-08"),
    "open days": (row(loan_days=3, counts_open_days=True), SUNDAYS, "2021-03-09"),
    "open days with no reopening announced": (
        row(loan_days=10, counts_open_days=True),
        CLOSED,
        "2021-03-15",
    ),
    "the end of the term": (row(**TERM), OPEN, "2021-06-30"),
    "after the last term": (row(fixed_due_dates=days("2021-03-05")), OPEN, "2021-03-19"),
    "before the latest date": (row(loan_days=5, **LATEST), OPEN, "2021-03-10"),
    "not after the latest date": (row(**LATEST), OPEN, "2021-03-14"),
    "closed on the latest date: the last open day before": (row(**LATEST), SUNDAYS, "2021-03-13"),
    "a term after the latest date": (row(**TERM, **LATEST), OPEN, "2021-03-14"),
    "hours without a time are whole days": (row(loan_hours=25), OPEN, "2021-03-07"),
}


@pytest.mark.parametrize(("policy", "calendar", "due"), FIRST.values(), ids=FIRST.keys())
def test_a_loan_is_due_as_its_row_says(policy: Policy, calendar: Calendar, due: str) -> None:
    assert first_due(policy, calendar, Due(FRIDAY)) == Due(date.fromisoformat(due))


HOURS = {
    "the same day": (3, OPEN, 850, at(FRIDAY, 850 + 180)),
    "after midnight": (10, OPEN, 1_000, at(date(2021, 3, 6), 160)),
    "closed: the same time of the next open day": (48, SUNDAYS, 600, at(date(2021, 3, 8), 600)),
}


@pytest.mark.parametrize(("hours", "calendar", "minute", "due"), HOURS.values(), ids=HOURS.keys())
def test_a_loan_by_hours_is_due_at_a_time(
    hours: int, calendar: Calendar, minute: int, due: Due
) -> None:
    assert first_due(row(loan_hours=hours), calendar, at(FRIDAY, minute)) == due


RENEWED = {
    "from the day of renewal": ({}, "2021-03-19"),
    "with days of its own": ({"renewal_days": 7}, "2021-03-12"),
    "from the due date": ({"renewal_from_due_date": True}, "2021-03-24"),
    "to the next term": ({"renewal_from_due_date": True, **TERM}, "2021-06-30"),
}


@pytest.mark.parametrize(("terms", "due"), RENEWED.values(), ids=RENEWED.keys())
def test_a_renewal_counts_from_today_or_from_the_due_date(terms: dict[str, Any], due: str) -> None:
    present = Due(date(2021, 3, 10))
    assert renewed_due(row(**terms), OPEN, present, Due(FRIDAY)).on == date.fromisoformat(due)


def test_the_renewal_of_an_overdue_loan_counts_from_today() -> None:
    overdue = Due(date(2021, 3, 1))
    renewed = renewed_due(row(renewal_from_due_date=True), OPEN, overdue, Due(FRIDAY))
    assert renewed.on == date(2021, 3, 19)


def test_a_renewal_by_hours_has_hours_of_its_own() -> None:
    policy, present = row(loan_hours=3, renewal_hours=1), at(FRIDAY, 900)
    assert renewed_due(policy, OPEN, present, at(FRIDAY, 890)) == at(FRIDAY, 950)
    from_due = replace(policy, renewal_from_due_date=True)
    assert renewed_due(from_due, OPEN, present, at(FRIDAY, 890)) == at(FRIDAY, 960)


MONDAY = date(2021, 3, 8)
PROMISED = {
    "earlier": (Due(MONDAY), Due(FRIDAY), OPEN, Due(MONDAY)),
    "later": (Due(FRIDAY), Due(MONDAY), OPEN, Due(MONDAY)),
    "a time of the same day": (Due(FRIDAY), at(FRIDAY, 600), OPEN, Due(FRIDAY)),
    "a day that is closed": (Due(FRIDAY), Due(date(2021, 3, 7)), SUNDAYS, Due(MONDAY)),
    "years": (Due(FRIDAY), Due(date(2031, 3, 5)), OPEN, Due(date(2021, 4, 5))),
    "an earlier hour": (at(FRIDAY, 900), at(FRIDAY, 600), OPEN, at(FRIDAY, 900)),
    "a later hour": (at(FRIDAY, 600), at(FRIDAY, 900), OPEN, at(FRIDAY, 900)),
    "the end of the same day": (at(FRIDAY, 600), Due(FRIDAY), OPEN, Due(FRIDAY)),
    "an hour of a later day": (at(FRIDAY, 600), at(MONDAY, 300), OPEN, at(MONDAY, 300)),
}


@pytest.mark.parametrize(
    ("due", "promised", "calendar", "kept"), PROMISED.values(), ids=PROMISED.keys()
)
def test_a_promised_due_date_counts_if_it_is_later_for_a_month_at_most(
    due: Due, promised: Due, calendar: Calendar, kept: Due
) -> None:
    assert promised_due(due, promised, calendar) == kept


def test_a_time_is_before_the_end_of_its_day() -> None:
    assert Due(FRIDAY).is_later(at(FRIDAY, 1_439))
    assert not at(FRIDAY, 900).is_later(at(FRIDAY, 900))
