"""Until when a branch is open, and when it opens again."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from services.notices.branches.rules.branch import Branch, Terms, close, register, reopen
from services.notices.branches.rules.hours import Hours
from services.notices.branches.rules.opening import next_opening, open_until

ZONE = ZoneInfo("Asia/Hong_Kong")
NOW = datetime(2021, 2, 1, 2, tzinfo=UTC)
HOURS = (
    *(Hours(day, "09:00", "13:00") for day in range(5)),
    *(Hours(day, "14:00", "19:00") for day in range(4)),
    Hours(4, "13:00", "24:00"),
    Hours(5, "00:00", "02:00"),
)
"""Closed at noon from Monday to Thursday; open from Friday morning into Saturday; else closed."""
BRANCH = register("HKCL", "Central", "central", HOURS, date(2021, 1, 1))


def on(day: int, clock: str) -> datetime:
    """Return a time in February 2021; the 1st is a Monday."""
    return datetime.fromisoformat(f"2021-02-{day:02}T{clock}").replace(tzinfo=ZONE)


@pytest.mark.parametrize(
    ("at", "until", "opens"),
    [
        (on(1, "08:59"), None, on(1, "09:00")),
        (on(1, "09:00"), on(1, "13:00"), on(1, "14:00")),
        (on(1, "12:59"), on(1, "13:00"), on(1, "14:00")),
        (on(1, "13:00"), None, on(1, "14:00")),
        (on(1, "19:00"), None, on(2, "09:00")),
        (on(5, "10:00"), on(6, "02:00"), on(5, "13:00")),
        (on(6, "01:59"), on(6, "02:00"), on(8, "09:00")),
        (on(6, "02:00"), None, on(8, "09:00")),
    ],
)
def test_a_branch_is_open_until_its_hours_end_and_opens_with_the_next_ones(
    at: datetime, until: datetime | None, opens: datetime
) -> None:
    assert open_until(BRANCH, at) == until
    assert next_opening(BRANCH, at) == opens


def closed(first: int, reopened: int | None) -> Branch:
    end = None if reopened is None else date(2021, 2, reopened)
    return close(BRANCH, "c", date(2021, 2, first), end, "", at=NOW)


def test_a_closed_branch_opens_on_its_first_open_day() -> None:
    branch = closed(2, 14)
    assert open_until(branch, on(3, "10:00")) is None
    assert next_opening(branch, on(3, "10:00")) == on(15, "09:00")
    assert next_opening(branch, on(1, "19:00")) == on(15, "09:00")


def test_special_hours_after_a_closure_count() -> None:
    special = tuple(Hours(day, "10:00", "17:00") for day in range(7))
    branch = reopen(closed(2, None), Terms("c", date(2021, 2, 13), hours=special), at=NOW)
    assert next_opening(branch, on(3, "10:00")) == on(13, "10:00")
    assert open_until(branch, on(13, "10:00")) == on(13, "17:00")


def test_no_opening_is_known_without_an_announced_end_or_hours() -> None:
    assert next_opening(closed(2, None), on(3, "10:00")) is None
    assert next_opening(closed(2, None), on(1, "10:00")) == on(1, "14:00")
    never = register("ML1", "Mobile", "mobile", (), date(2021, 1, 1))
    assert (open_until(never, on(1, "10:00")), next_opening(never, on(1, "10:00"))) == (None, None)


def test_a_branch_that_never_closes_has_some_end() -> None:
    always = register(
        "X", "X", "station", (Hours(d, "00:00", "24:00") for d in range(7)), NOW.date()
    )
    until = open_until(always, on(1, "10:00"))
    assert until is not None
    assert until > on(7, "00:00")
