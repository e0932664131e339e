"""Open and closed days."""

from datetime import date

import pytest

from services.circulation.domain.calendar import Calendar, Closure


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


def test_the_closure_in_force_is_the_one_that_began_first() -> None:
    cal = calendar(("2021-05-03", "2021-05-09"), ("2021-05-01", "2021-05-05"))
    in_force = [cal.closure_on(date(2021, 5, n)) for n in (4, 5, 9)]
    assert [c.id if c else None for c in in_force] == ["c1", "c0", None]
