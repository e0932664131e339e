"""The days on which a branch is closed, by all its closures together."""

from datetime import UTC, date, datetime, timedelta

import pytest

from services.notices.branches.rules.branch import (
    Closed,
    close,
    closed_days,
    opens_after_closure,
    register,
)
from services.notices.branches.rules.hours import Hours

DAY = date(2020, 12, 9)  # a Wednesday


def span(first: int, end: int | None) -> Closed:
    """Closed days, counted from DAY."""
    return Closed(DAY + timedelta(days=first), None if end is None else DAY + timedelta(days=end))


@pytest.mark.parametrize(
    ("closures", "found"),
    [
        pytest.param([], None, id="no closure"),
        pytest.param([span(-9, -1)], None, id="over before the day"),
        pytest.param([span(-9, 0)], span(-9, 0), id="reopens on the day"),
        pytest.param([span(-9, 3)], span(-9, 3), id="closed on the day"),
        pytest.param([span(2, None)], span(2, None), id="closes later, with no end announced"),
        pytest.param([span(2, 2), span(5, 6)], span(5, 6), id="one without a day counts for none"),
        pytest.param([span(-9, 3), span(3, 6)], span(-9, 6), id="adjoining closures are one"),
        pytest.param([span(1, 6), span(-9, 3)], span(-9, 6), id="overlapping closures are one"),
        pytest.param([span(-9, 6), span(1, 3)], span(-9, 6), id="one within another"),
        pytest.param([span(-9, 3), span(2, None)], span(-9, None), id="one without an end joins"),
        pytest.param([span(-9, None), span(1, 3)], span(-9, None), id="no end stays no end"),
        pytest.param([span(-9, 3), span(4, 6)], span(-9, 3), id="open between two closures"),
        pytest.param(
            [span(-9, 3), span(3, 5), span(5, 8)], span(-9, 8), id="three in a row are one"
        ),
    ],
)
def test_the_next_closed_days_combine_closures_without_an_open_day_between(
    closures: list[Closed], found: Closed | None
) -> None:
    assert closed_days(closures, DAY) == found


@pytest.mark.parametrize(
    ("start", "end", "opens"),
    [
        pytest.param(-3, 2, 2, id="on the announced day, a Friday"),
        pytest.param(-3, 4, 5, id="on Monday, because the branch has no hours on Sunday"),
        pytest.param(-3, None, None, id="no end is announced"),
        pytest.param(-3, 0, None, id="it is open again"),
        pytest.param(1, 2, None, id="it is not closed yet"),
    ],
)
def test_a_closed_branch_opens_on_the_first_day_with_hours(
    start: int, end: int | None, opens: int | None
) -> None:
    week = tuple(Hours(weekday, "09:00", "20:00") for weekday in range(6))
    branch = register("TPO", "Tai Po", "district", week, date(2020, 11, 1))
    shut = span(start, end)
    at = datetime(2020, 12, 1, tzinfo=UTC)
    branch = close(branch, "a", shut.first, shut.reopened_on, "", at=at)
    expected = None if opens is None else DAY + timedelta(days=opens)
    assert opens_after_closure(branch, DAY) == expected


def test_a_branch_without_hours_opens_on_the_announced_day() -> None:
    branch = register("ML1", "Mobile Library 1", "mobile", (), date(2020, 11, 1))
    at = datetime(2020, 12, 1, tzinfo=UTC)
    branch = close(branch, "a", DAY, DAY + timedelta(days=4), "", at=at)
    assert opens_after_closure(branch, DAY) == DAY + timedelta(days=4)
