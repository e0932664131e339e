"""Open and closed days."""

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.circulation.domain.calendar import Calendar, Closure

DAYS = st.dates(date(2021, 1, 1), date(2021, 4, 30))
CLOSURES = st.builds(
    lambda first, length: Closure("c", first, first + timedelta(days=length)),
    DAYS,
    st.integers(0, 40),
)
CALENDARS = st.builds(
    Calendar,
    branch_code=st.just("HKCL"),
    branch_kind=st.just("central"),
    weekly_closed=st.frozensets(st.integers(1, 7), max_size=6),
    closures=st.lists(CLOSURES, max_size=6).map(tuple),
)


def calendar(*closures: tuple[str, str | None], weekly_closed: tuple[int, ...] = ()) -> Calendar:
    return Calendar(
        "HKCL",
        "central",
        frozenset(weekly_closed),
        tuple(
            Closure(f"c{n}", date.fromisoformat(a), date.fromisoformat(b) if b else None)
            for n, (a, b) in enumerate(closures)
        ),
    )


def is_open(cal: Calendar, day: date) -> bool:
    return day.isoweekday() not in cal.weekly_closed and not any(
        c.starts_on <= day and (c.reopened_on is None or day < c.reopened_on) for c in cal.closures
    )


THURSDAY = 4
ALL_WEEK = (1, 2, 3, 4, 5, 6, 7)


@pytest.mark.parametrize(
    ("cal", "day", "opens"),
    [
        (calendar(), "2021-05-01", "2021-05-01"),
        (calendar(("2021-05-01", "2021-05-03")), "2021-05-01", "2021-05-03"),
        (calendar(("2021-05-01", "2021-05-03")), "2021-05-03", "2021-05-03"),
        (
            calendar(("2021-05-01", "2021-05-06"), weekly_closed=(THURSDAY,)),
            "2021-05-02",
            "2021-05-07",
        ),
        (
            calendar(("2021-05-01", "2021-05-03"), ("2021-05-03", "2021-05-05")),
            "2021-05-01",
            "2021-05-05",
        ),
        (
            calendar(("2021-05-01", "2021-06-01"), ("2021-05-10", "2021-05-12")),
            "2021-05-11",
            "2021-06-01",
        ),
        (calendar(("2021-05-01", "2121-05-01")), "2021-05-01", "2121-05-01"),
        (calendar(("2021-05-02", "2021-05-02")), "2021-05-02", "2021-05-02"),
        (calendar(("2021-05-02", None)), "2021-05-01", "2021-05-01"),
        (calendar(("2021-05-02", None)), "2021-05-02", None),
        (calendar(("2021-05-01", "2021-05-04"), ("2021-05-03", None)), "2021-05-01", None),
        (calendar(weekly_closed=ALL_WEEK), "2021-05-01", None),
        (calendar(weekly_closed=(5,)), "9999-12-31", None),
    ],
    ids=[
        "always open",
        "closed that day",
        "the reopening day is open",
        "reopening on a closing day",
        "closures that adjoin",
        "closures that overlap",
        "closed for a century",
        "reopened the day it closed",
        "before a closure with no end",
        "a closure with no end",
        "a closure with no end overlaps",
        "closed all week",
        "the last day there is",
    ],
)
def test_next_open_day(cal: Calendar, day: str, opens: str | None) -> None:
    assert cal.next_open(date.fromisoformat(day)) == (opens and date.fromisoformat(opens))


@settings(max_examples=100, deadline=None)
@given(CALENDARS, DAYS)
def test_open_days_are_those_one_by_one(cal: Calendar, day: date) -> None:
    days = [day + timedelta(days=n) for n in range(300)]
    assert cal.is_open(day) == is_open(cal, day)
    assert cal.next_open(day) == next(d for d in days if is_open(cal, d))
    assert cal.next_closed(day) == next((d for d in days if not is_open(cal, d)), None)


@settings(max_examples=100, deadline=None)
@given(CALENDARS, DAYS, st.integers(0, 90))
def test_closed_runs_are_the_closed_days_one_by_one(
    cal: Calendar, first: date, length: int
) -> None:
    days = [first + timedelta(days=n) for n in range(length + 1)]
    runs = list(cal.closed_runs(first, days[-1]))
    in_runs = [d for d in days if any(a <= d <= b for a, b, _ in runs)]
    assert in_runs == [d for d in days if not is_open(cal, d)]
    assert all(causes for *_, causes in runs)


def test_the_closure_in_force_is_the_one_that_began_first() -> None:
    cal = calendar(("2021-05-03", "2021-05-09"), ("2021-05-01", "2021-05-05"))
    in_force = [cal.closure_on(date(2021, 5, n)) for n in (4, 5, 9)]
    assert [c.id if c else None for c in in_force] == ["c1", "c0", None]
