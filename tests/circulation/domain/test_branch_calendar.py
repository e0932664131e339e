"""A branch's calendar as it stood at each announcement, and what that does to a due date."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from services.circulation.domain.branch_calendar import (
    AnnouncedClosure,
    Announcement,
    BranchCalendar,
    Movable,
)
from services.circulation.domain.calendar import Calendar
from services.circulation.domain.loan import Loan, LoanState, catch_up, renewal_reference
from services.circulation.domain.policy import Policy


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
    calendar_version=1,
)
WINTER = closed("c1", "2020-12-02", (2, None), (3, "2021-02-19"), (4, "2021-01-10"))


def test_a_calendar_is_as_it_was_announced() -> None:
    of = branch(4, WINTER)
    assert of.as_of(1).closures == ()
    assert of.as_of(2).next_open(day("2020-12-04")) is None
    assert of.as_of(3).next_open(day("2020-12-04")) == day("2021-02-19")
    assert of.now.next_open(day("2020-12-04")) == day("2021-01-10")
    assert [closure.version for closure in of.now.closures] == [3]
    assert [said.version for said in of.announced_since(2)] == [3, 4]


def test_a_due_date_takes_each_announcement_in_its_turn() -> None:
    [moved] = catch_up(LOAN, branch(4, WINTER))
    assert moved.due_on == day("2021-02-19")  # not the 10 January announced later
    assert [(move.at, move.cause.id) for move in moved.moves] == [(at(3), "c1")]
    assert catch_up(moved, branch(4, WINTER)) == ()


def test_one_closure_after_another_moves_it_twice() -> None:
    steps = catch_up(
        LOAN,
        branch(
            3,
            closed("c1", "2020-12-02", (2, "2020-12-10")),
            closed("c2", "2020-12-10", (3, "2021-02-19")),
        ),
    )
    assert [step.due_on for step in steps] == [day("2020-12-10"), day("2021-02-19")]
    assert [step.version for step in steps] == [2, 3]


def test_only_an_open_loan_moves_and_only_by_what_is_new_to_it() -> None:
    returned = replace(LOAN, state=LoanState.RETURNED)
    assert catch_up(returned, branch(4, WINTER)) == ()
    assert catch_up(replace(LOAN, calendar_version=4), branch(4, WINTER)) == ()


def test_what_can_move_lies_within_a_stretch_with_an_end() -> None:
    assert branch(2, closed("c1", "2020-12-02", (2, None))).movable() == ()
    assert branch(4, WINTER).movable() == (
        Movable(day("2020-12-02"), day("2021-01-09")),
        Movable(day("2020-12-02"), day("2021-02-18")),
    )
    assert branch(4, WINTER).movable(since=3) == (Movable(day("2020-12-02"), day("2021-01-09")),)
    taken_back = closed("c1", "2020-12-02", (2, "2020-12-02"))
    assert branch(2, taken_back).movable() == ()


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
def test_the_last_open_day(weekly: tuple[int, ...], asked: str, expected: str | None) -> None:
    winter = closed("c1", "2020-12-02", (1, "2021-02-19")).as_of(1)
    assert winter
    calendar = Calendar("HKCL", "central", frozenset(weekly), (winter,))
    assert calendar.previous_open(day(asked)) == (day(expected) if expected else None)


def test_a_reference_is_the_same_for_the_same_renewal_only() -> None:
    first, second = replace(LOAN, renewals=1), replace(LOAN, renewals=2)
    assert renewal_reference(first) == renewal_reference(replace(first, version=9))
    assert renewal_reference(first) != renewal_reference(second)
