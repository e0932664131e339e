"""The days that a change of a branch's calendar may have closed, and what lowered a fine."""

from datetime import UTC, date, datetime

import pytest

from services.circulation.rules.branch_calendar import (
    AnnouncedClosure,
    AnnouncedWeek,
    Announcement,
    BranchCalendar,
)
from services.circulation.rules.calendar import NO_END, Cause
from services.circulation.rules.fines import Disposition, Span, Statement
from services.circulation.rules.sweep import Rework, branch_rework_id, lowered_by, newly_closed

AT = datetime(2020, 12, 1, tzinfo=UTC)


def dec(day: int) -> date:
    return date(2020, 12, day)


def closure(*said: Announcement) -> AnnouncedClosure:
    return AnnouncedClosure("a", dec(10), "epidemic", said)


def said(version: int, end: int | None, **more: object) -> Announcement:
    reopened_on = None if end is None else dec(end)
    return Announcement(version, AT, reopened_on, **more)  # type: ignore[arg-type]


NO_WEEKDAYS: frozenset[int] = frozenset()
SUNDAY = frozenset({7})


@pytest.mark.parametrize(
    ("closures", "weeks", "days"),
    [
        pytest.param([closure(said(3, 20))], [], None, id="announced before"),
        pytest.param([closure(said(4, 20))], [], (dec(10), dec(19)), id="a closure with an end"),
        pytest.param([closure(said(4, None))], [], (dec(10), NO_END), id="no end announced"),
        pytest.param(
            [closure(said(3, 30), said(4, 20))], [], (dec(10), dec(19)), id="only what is new"
        ),
        pytest.param(
            [closure(said(4, 20, starts_on=dec(8)))],
            [],
            (dec(8), dec(19)),
            id="a corrected first day",
        ),
        pytest.param(
            [closure(said(4, 15)), closure(said(5, 25, starts_on=dec(20)))],
            [],
            (dec(10), dec(24)),
            id="two closures",
        ),
        pytest.param(
            [closure(said(4, 20, on_terms=True, special_closed=SUNDAY))],
            [],
            (dec(10), NO_END),
            id="special hours with a closed weekday",
        ),
        pytest.param(
            [closure(said(4, 20, on_terms=True, special_closed=NO_WEEKDAYS))],
            [],
            (dec(10), dec(19)),
            id="special hours on every weekday",
        ),
        pytest.param(
            [
                closure(
                    said(3, 20, on_terms=True, special_closed=NO_WEEKDAYS),
                    said(4, 20, on_terms=True),
                )
            ],
            [AnnouncedWeek(1, dec(1), SUNDAY)],
            (dec(10), NO_END),
            id="the end of special hours on a closed weekday",
        ),
        pytest.param([], [AnnouncedWeek(3, dec(2), SUNDAY)], None, id="earlier hours"),
        pytest.param(
            [],
            [AnnouncedWeek(1, dec(1), NO_WEEKDAYS), AnnouncedWeek(4, dec(2), SUNDAY)],
            (dec(2), NO_END),
            id="new weekly hours",
        ),
    ],
)
def test_the_days_that_may_be_closed_since_a_version_are_found(
    closures: list[AnnouncedClosure], weeks: list[AnnouncedWeek], days: tuple[date, date] | None
) -> None:
    branch = BranchCalendar("HKCL", 5, "central", NO_WEEKDAYS, tuple(closures), tuple(weeks))
    assert newly_closed(branch, 3) == days


def test_a_rework_names_what_changed() -> None:
    assert Rework(branch_rework_id("HKCL"), 2, 1, 1).subject == ("branch", "HKCL")
    assert Rework("suspension/s/1", 2, 1, 1).subject == ("suspension", "s/1")


POLICY = Cause("policy", "default", 1, "")
CLOSURE = Cause("closure", "c1", 2, "")


def fine(*spans: tuple[int, int, Disposition, Cause], due: int | None = 4) -> Statement:
    """Return the fine of a loan due on 4 December, whose sum does not matter."""
    laid_out = tuple(Span(dec(a), dec(b), kind, (cause,)) for a, b, kind, cause in spans)
    return Statement(None if due is None else dec(due), 0, 0, laid_out)


def suspended(name: str) -> Cause:
    return Cause("suspension", name, 1, "")


CHARGED = fine((5, 10, Disposition.CHARGED, POLICY))


@pytest.mark.parametrize(
    ("after", "cause"),
    [
        pytest.param(
            fine((5, 10, Disposition.SUSPENDED, suspended("s1"))), "suspension/s1", id="suspended"
        ),
        pytest.param(fine((5, 6, Disposition.CLOSED, CLOSURE)), "branch/HKCL", id="closed"),
        pytest.param(fine(due=8), "branch/HKCL", id="a later due date"),
        pytest.param(fine(due=None), "branch/HKCL", id="no longer overdue"),
        pytest.param(
            fine(
                (5, 6, Disposition.CLOSED, CLOSURE),
                (7, 10, Disposition.SUSPENDED, suspended("s1")),
            ),
            "suspension/s1",
            id="most days suspended",
        ),
        pytest.param(
            fine(
                (5, 6, Disposition.SUSPENDED, suspended("s1")),
                (7, 8, Disposition.SUSPENDED, suspended("own")),
            ),
            "suspension/own",
            id="as many days by its own change",
        ),
    ],
)
def test_a_lowered_fine_names_the_change_that_freed_most_days(after: Statement, cause: str) -> None:
    assert lowered_by(CHARGED, after, "HKCL", "suspension/own") == cause
