"""A branch's calendar as known at each announcement, and its effect on a due date."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from services.circulation.rules.branch_calendar import (
    AnnouncedClosure,
    AnnouncedWeek,
    Announcement,
    BranchCalendar,
    Movable,
)
from services.circulation.rules.calendar import Calendar
from services.circulation.rules.due_date import apply_announcements
from services.circulation.rules.loan import Loan, LoanState, renew, renewal_reference
from services.circulation.rules.policy import Policy


def day(text: str) -> date:
    return date.fromisoformat(text)


def at(version: int) -> datetime:
    return datetime(2020, 12, version, tzinfo=UTC)


def closed(closure_id: str, starts: str, *said: tuple[int, str | None]) -> AnnouncedClosure:
    return AnnouncedClosure(
        closure_id,
        day(starts),
        "epidemic",
        tuple(Announcement(v, at(v), day(end) if end else None) for v, end in said),
    )


def branch(version: int, *closures: AnnouncedClosure) -> BranchCalendar:
    return BranchCalendar("HKCL", version, "central", frozenset(), closures)


LOAN = Loan(
    id="l1",
    patron_id="p1",
    patron_category="adult",
    title_id="t1",
    copy_id="k1",
    barcode="b1",
    copy_category="adult",
    branch_code="HKCL",
    branch_kind="central",
    policy=Policy(id="default"),
    borrowed_on=day("2020-11-20"),
    due_on=day("2020-12-04"),
    due_set_at_version=1,
    calendar_version=1,
)
WINTER = closed("c1", "2020-12-02", (2, None), (3, "2021-02-19"), (4, "2021-01-10"))


def test_a_calendar_matches_the_announcements() -> None:
    of = branch(4, WINTER)
    assert of.as_of(1).closures == ()
    assert of.as_of(2).next_open(day("2020-12-04")) is None
    assert of.as_of(3).next_open(day("2020-12-04")) == day("2021-02-19")
    assert of.now.next_open(day("2020-12-04")) == day("2021-01-10")
    assert [closure.version for closure in of.now.closures] == [3]
    assert [said.version for said in of.announced_since(2)] == [3, 4]


def test_announcements_move_a_due_date_in_order() -> None:
    [moved] = apply_announcements(LOAN, branch(4, WINTER))
    assert moved.due_on == day("2021-02-19")  # not the 10 January announced later
    assert [(move.at, move.cause.id) for move in moved.moves] == [(at(3), "c1")]
    assert apply_announcements(moved, branch(4, WINTER)) == ()


def test_consecutive_closures_move_a_due_date_twice() -> None:
    steps = apply_announcements(
        LOAN,
        branch(
            3,
            closed("c1", "2020-12-02", (2, "2020-12-10")),
            closed("c2", "2020-12-10", (3, "2021-02-19")),
        ),
    )
    assert [step.due_on for step in steps] == [day("2020-12-10"), day("2021-02-19")]
    assert [step.version for step in steps] == [2, 3]


def test_only_an_open_loan_moves_and_only_by_newer_announcements() -> None:
    returned = replace(LOAN, state=LoanState.RETURNED)
    assert apply_announcements(returned, branch(4, WINTER)) == ()
    assert apply_announcements(replace(LOAN, calendar_version=4), branch(4, WINTER)) == ()


def test_movable_due_dates_lie_in_closed_spans_with_an_end() -> None:
    assert branch(2, closed("c1", "2020-12-02", (2, None))).movable() == ()
    assert branch(4, WINTER).movable() == (Movable(day("2020-12-02"), day("2021-02-18")),)
    assert branch(4, WINTER).movable(since=3) == (Movable(day("2020-12-02"), day("2021-01-09")),)
    taken_back = closed("c1", "2020-12-02", (2, "2020-12-02"))
    assert branch(2, taken_back).movable() == ()


# ---- closures over each other, amended, withdrawn -----------------------------------------------

TYPHOON = closed("t", "2020-12-04", (5, "2020-12-05"))


def error(closure: AnnouncedClosure, version: int) -> AnnouncedClosure:
    """Return the closure, withdrawn at a version as recorded in error."""
    said = Announcement(version, at(version), closure.starts_on, in_error=True)
    return replace(closure, announcements=(*closure.announcements, said))


def moves(loan: Loan) -> list[tuple[str, str, str]]:
    return [(str(move.from_)[5:], str(move.to)[5:], move.cause.kind) for move in loan.moves]


@pytest.mark.parametrize(
    ("closures", "expected"),
    [
        pytest.param(
            [error(closed("c1", "2020-12-02", (2, "2021-02-19")), 3)],
            [("12-04", "02-19", "closure"), ("02-19", "12-04", "withdrawal")],
            id="in error: restored, and both are told",
        ),
        pytest.param(
            [error(closed("c1", "2020-12-02", (2, None)), 3)],
            [],
            id="in error before it moved anything",
        ),
        pytest.param(
            [error(closed("c1", "2020-12-02", (2, "2021-02-19")), 6), TYPHOON],
            [("12-04", "02-19", "closure"), ("02-19", "12-05", "withdrawal")],
            id="a typhoon day within it still moves it",
        ),
        pytest.param(
            [closed("c1", "2020-12-02", (2, "2021-02-19")), error(TYPHOON, 6)],
            [("12-04", "02-19", "closure")],
            id="an error within a longer closure moved nothing",
        ),
        pytest.param(
            [error(TYPHOON, 7), closed("c2", "2020-12-05", (6, "2020-12-08"))],
            [
                ("12-04", "12-05", "closure"),
                ("12-05", "12-08", "closure"),
                ("12-08", "12-04", "withdrawal"),
            ],
            id="what followed from the error is put right with it",
        ),
        pytest.param(
            [
                closed("c1", "2020-12-02", (2, "2020-12-10")),
                error(closed("c2", "2020-12-10", (3, "2021-02-19")), 4),
            ],
            [
                ("12-04", "12-10", "closure"),
                ("12-10", "02-19", "closure"),
                ("02-19", "12-10", "withdrawal"),
            ],
            id="of two that adjoin only the error's part",
        ),
        pytest.param(
            [
                closed(
                    "c1", "2020-12-02", (2, None), (3, "2020-12-20"), (4, None), (5, "2021-02-19")
                )
            ],
            [("12-04", "12-20", "closure"), ("12-20", "02-19", "closure")],
            id="an announced end taken back, then another",
        ),
        pytest.param(
            [closed("c1", "2020-12-02", (2, "2021-02-19"), (3, "2020-12-03"))],
            [("12-04", "02-19", "closure")],
            id="withdrawn, but no error: the later date stays",
        ),
    ],
)
def test_overlapping_closures_can_be_amended_and_withdrawn(
    closures: list[AnnouncedClosure], expected: list[tuple[str, str, str]]
) -> None:
    loan = (LOAN, *apply_announcements(LOAN, branch(9, *closures)))[-1]
    assert moves(loan) == expected
    assert loan.version == 1 + len(expected)


def test_a_corrected_first_day_applies_from_its_announcement() -> None:
    said = closed("c1", "2020-12-02", (2, "2021-02-19"))
    later = Announcement(3, at(3), day("2021-02-19"), starts_on=day("2020-12-10"))
    amended = replace(said, announcements=(*said.announcements, later))
    calendar = branch(3, amended)
    assert calendar.as_of(2).next_open(day("2020-12-04")) == day("2021-02-19")
    assert calendar.now.next_open(day("2020-12-04")) == day("2020-12-04")
    [moved] = apply_announcements(
        LOAN, calendar
    )  # as first announced; a due date never moves earlier
    assert moved.due_on == day("2021-02-19")


def test_withdrawing_a_closure_as_an_error_keeps_a_renewed_due_date() -> None:
    shut = closed("c1", "2020-12-02", (2, "2021-02-19"))
    [moved] = apply_announcements(LOAN, branch(2, shut))
    renewed = renew(
        moved, on=day("2021-02-10"), calendar=branch(2, shut).now, queue=0, blocked=False
    )
    assert apply_announcements(renewed, branch(3, error(shut, 3))) == ()


def test_withdrawing_a_closure_as_an_error_restores_moved_dates_from_its_first_day() -> None:
    wrong = error(closed("c1", "2020-12-02", (2, "2021-02-19")), 3)
    assert branch(3, wrong).movable(since=2) == (
        Movable(day("2020-12-02"), date.max, moved_only=True),
    )


def test_weekly_hours_match_the_announcements() -> None:
    calendar = replace(
        branch(3),
        weeks=(
            AnnouncedWeek(1, day("2020-11-01"), frozenset({4})),
            AnnouncedWeek(3, day("2020-12-07"), frozenset({5})),
        ),
    )
    thursday, friday = day("2020-12-10"), day("2020-12-11")
    assert [calendar.as_of(2).is_open(d) for d in (thursday, friday)] == [False, True]
    assert [calendar.now.is_open(d) for d in (thursday, friday)] == [True, False]
    assert not calendar.now.is_open(day("2020-12-03"))
    assert not calendar.now.is_open(day("2020-10-01"))  # before the first of them


def test_weekdays_missing_from_special_hours_are_closed() -> None:
    special = Announcement(
        2, at(2), day("2021-02-19"), on_terms=True, special_closed=frozenset({1, 7})
    )
    calendar = replace(
        branch(3, AnnouncedClosure("c1", day("2020-12-02"), "", (special,))),
        weeks=(
            AnnouncedWeek(1, day("2020-11-01"), frozenset({4})),
            AnnouncedWeek(3, day("2021-03-01"), frozenset({4})),
        ),
    )
    monday, thursday = day("2021-02-22"), day("2021-02-25")
    assert [calendar.now.is_open(d) for d in (monday, thursday)] == [False, True]
    # New weekly hours end the special ones.
    monday, thursday = day("2021-03-01"), day("2021-03-04")
    assert [calendar.now.is_open(d) for d in (monday, thursday)] == [True, False]


@pytest.mark.parametrize(
    ("weekly", "asked", "expected"),
    [
        pytest.param((), "2020-12-01", "2020-12-01", id="an open day is its own"),
        pytest.param((), "2021-01-20", "2020-12-01", id="within a closure"),
        pytest.param((2,), "2021-01-20", "2020-11-30", id="and a weekly closing before it"),
        pytest.param((5,), "2021-02-19", "2020-12-01", id="reopened on a closed weekday"),
        pytest.param((1, 2, 3, 4, 5, 6, 7), "2021-02-19", None, id="never open"),
    ],
)
def test_the_last_open_day_up_to_a_day_is_found(
    weekly: tuple[int, ...], asked: str, expected: str | None
) -> None:
    winter = closed("c1", "2020-12-02", (1, "2021-02-19")).as_of(1)
    assert winter
    calendar = Calendar("HKCL", "central", frozenset(weekly), (winter,))
    assert calendar.previous_open(day(asked)) == (day(expected) if expected else None)


def test_only_the_same_renewal_has_the_same_reference() -> None:
    first, second = replace(LOAN, renewals=1), replace(LOAN, renewals=2)
    assert renewal_reference(first) == renewal_reference(replace(first, version=9))
    assert renewal_reference(first) != renewal_reference(second)
