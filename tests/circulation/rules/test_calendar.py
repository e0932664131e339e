"""Open and closed days."""

from datetime import date

import pytest

from services.circulation.rules.calendar import Calendar, Closure, Week


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
def test_the_next_open_day_skips_closed_days(cal: Calendar, day: str, opens: str | None) -> None:
    assert cal.next_open(date.fromisoformat(day)) == (opens and date.fromisoformat(opens))


def test_the_closure_in_force_is_the_one_that_began_first() -> None:
    cal = calendar(("2021-05-03", "2021-05-09"), ("2021-05-01", "2021-05-05"))
    in_force = [cal.closure_on(date(2021, 5, n)) for n in (4, 5, 9)]
    assert [c.id if c else None for c in in_force] == ["c1", "c0", None]


# ---- weekly hours that change -------------------------------------------------------------------


def weeks(*changes: tuple[str, tuple[int, ...]], before: tuple[int, ...] = ()) -> Calendar:
    return Calendar(
        "HKCL",
        "central",
        frozenset(before),
        weeks=tuple(Week(date.fromisoformat(day), frozenset(closed)) for day, closed in changes),
    )


MOVES = weeks(("2021-05-10", (5,)), before=(THURSDAY,))  # to Fridays, from Monday the 10th
SHUT = weeks(("2021-05-10", ALL_WEEK), ("2021-05-24", ()), before=(THURSDAY,))


@pytest.mark.parametrize(
    ("cal", "day", "opens", "opened", "closes"),
    [
        pytest.param(MOVES, 6, 7, 5, 6, id="a Thursday before stays closed"),
        pytest.param(MOVES, 7, 7, 7, 14, id="a Friday before was open"),
        pytest.param(MOVES, 13, 13, 13, 14, id="a Thursday after is open"),
        pytest.param(MOVES, 14, 15, 13, 14, id="a Friday after is closed"),
        pytest.param(SHUT, 12, 24, 9, 12, id="no hours at all for two weeks"),
        pytest.param(SHUT, 24, 24, 24, None, id="then always open"),
        pytest.param(weeks(("2021-05-10", ALL_WEEK)), 12, None, 9, 12, id="shut for good"),
        pytest.param(weeks(("2021-05-10", ()), before=ALL_WEEK), 9, 10, None, 9, id="new"),
    ],
)
def test_new_weekly_hours_do_not_change_earlier_days(
    cal: Calendar, day: int, opens: int | None, opened: int | None, closes: int | None
) -> None:
    asked = date(2021, 5, day)
    assert cal.next_open(asked) == (opens and date(2021, 5, opens))
    assert cal.previous_open(asked) == (opened and date(2021, 5, opened))
    assert cal.next_closed(asked) == (closes and date(2021, 5, closes))


def test_a_closed_run_across_a_change_of_hours_names_both_causes() -> None:
    cal = weeks(("2021-05-07", (5,)), before=(THURSDAY,))
    ((first, last, causes),) = cal.closed_runs(date(2021, 5, 6), date(2021, 5, 8))
    assert (first, last) == (date(2021, 5, 6), date(2021, 5, 7))
    assert [cause.reason for cause in causes] == ["closed every Thursday", "closed every Friday"]


# ---- stagger and extra renewals -----------------------------------------------------------------


def staggered(days: int, reopened_on: str = "2021-02-19", *others: Closure) -> Calendar:
    winter = Closure("w", date(2020, 12, 2), date.fromisoformat(reopened_on), stagger_days=days)
    return Calendar("HKCL", "central", frozenset({7}), (winter, *others))


def test_a_staggered_reopening_spreads_moved_dates_over_its_first_open_days() -> None:
    cal = staggered(4)
    dues = [cal.next_due(date(2021, 1, 4), lot) for lot in range(8)]
    # 21 February is a Sunday
    assert dues == [date(2021, 2, day) for day in (19, 20, 22, 23)] * 2
    assert cal.next_due(date(2021, 2, 19), 3) == date(2021, 2, 19)  # open: nothing moves it


def test_a_staggered_reopening_skips_closed_days_and_ends_at_an_open_ended_closure() -> None:
    typhoon = Closure("t", date(2021, 2, 20), date(2021, 2, 21))
    assert staggered(3, "2021-02-19", typhoon).next_due(date(2021, 1, 4), 2) == date(2021, 2, 23)
    again = Closure("a", date(2021, 2, 20), None)
    assert staggered(3, "2021-02-19", again).next_due(date(2021, 1, 4), 2) == date(2021, 2, 19)


def test_only_the_reopening_of_the_last_closure_is_staggered() -> None:
    longer = Closure("l", date(2021, 2, 1), date(2021, 3, 1))
    assert staggered(5, "2021-02-19", longer).next_due(date(2021, 1, 4), 4) == date(2021, 3, 1)


def test_relief_lasts_as_long_as_its_closure() -> None:
    relieving = Closure("r", date(2020, 12, 2), date(2021, 2, 19), extra_renewals=2)
    less = Closure("s", date(2020, 12, 10), None, extra_renewals=1)
    cal = Calendar("HKCL", "central", closures=(relieving, less))
    granted = [
        cal.extra_renewals(day)
        for day in (date(2020, 12, 1), date(2020, 12, 10), date(2021, 2, 18), date(2021, 2, 19))
    ]
    assert granted == [0, 2, 2, 1]
