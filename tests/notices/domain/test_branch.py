"""The rules of a branch's calendar: closing, reopening, and what a visitor finds."""

from datetime import UTC, date, datetime

import pytest

from services.notices.domain.branch import (
    Branch,
    Hours,
    Terms,
    change_hours,
    checked_hours,
    close,
    day_of,
    reopen,
)
from services.notices.domain.refusals import (
    BadHours,
    ClosureOverlaps,
    NeverClosed,
    NotInClosure,
)

WEEK = tuple(Hours(weekday, "09:00", "20:00") for weekday in range(6))
SHORT = tuple(Hours(weekday, "10:00", "18:00") for weekday in range(6))
BRANCH = Branch("TPO", 1, "Tai Po", "district", WEEK, date(2020, 11, 1))
AT = datetime(2020, 12, 9, 10, tzinfo=UTC)


def dec(day: int) -> date:
    return date(2020, 12, day)


def closed(
    branch: Branch, closure_id: str, start: int, end: int | None, *, today: date | None = None
) -> Branch:
    until = None if end is None else dec(end)
    return close(
        branch, closure_id, dec(start), until, "", at=AT, today=today or min(dec(9), dec(start))
    )


def test_hours_and_closures_are_counted_by_one_version() -> None:
    branch = closed(BRANCH, "a", 10, None)
    branch = change_hours(branch, SHORT, dec(11))
    branch = reopen(branch, Terms("a", dec(20)), at=AT)
    assert branch.version == 4
    assert [a.version for a in branch.closures[0].announcements] == [2, 4]


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ((10, None), (10, None)),
        ((10, None), (15, None)),
        ((10, None), (15, 20)),
        ((10, 20), (12, 15)),
        ((10, 20), (5, 11)),
        ((10, 20), (5, None)),
        ((10, 20), (10, 25)),
    ],
    ids=[
        "the same",
        "no end announced",
        "within one without end",
        "within",
        "into its beginning",
        "all over it",
        "from its first day",
    ],
)
def test_a_closure_that_overlaps_another_is_refused(
    earlier: tuple[int, int | None], later: tuple[int, int | None]
) -> None:
    branch = closed(BRANCH, "a", *earlier)
    with pytest.raises(ClosureOverlaps):
        closed(branch, "b", *later)


@pytest.mark.parametrize("later", [(20, None), (5, 10), (25, 28)])
def test_closures_may_adjoin(later: tuple[int, int | None]) -> None:
    branch = closed(closed(BRANCH, "a", 10, 20), "b", *later)
    assert [len(c.announcements) for c in branch.closures] == [1, 1]


def test_a_later_closure_takes_an_announced_reopening_back() -> None:
    """In July 2020 a resumption announced for the 20th was revoked on the 15th."""
    branch = closed(BRANCH, "a", 2, None)
    branch = reopen(branch, Terms("a", dec(20), services=("lending",)), at=AT)
    branch = closed(branch, "b", 15, None, today=dec(14))
    first, second = branch.closures
    assert [(a.version, a.reopened_on) for a in first.announcements] == [
        (2, None),
        (3, dec(20)),
        (4, dec(15)),
    ]
    assert [(a.version, a.reopened_on) for a in second.announcements] == [(4, None)]
    assert branch.terms == ()
    assert not day_of(branch, dec(20)).open
    with pytest.raises(ClosureOverlaps):
        reopen(branch, Terms("a", dec(20)), at=AT)


def test_an_end_that_has_come_is_not_taken_back_by_back_dating() -> None:
    branch = closed(BRANCH, "a", 2, 10)
    with pytest.raises(ClosureOverlaps):
        closed(branch, "b", 8, None, today=dec(12))


@pytest.mark.parametrize("end", [9, 10])
def test_a_closure_closes_at_least_a_day(end: int) -> None:
    with pytest.raises(NeverClosed):
        closed(BRANCH, "a", 10, end)


def test_every_announced_end_is_kept_and_the_last_is_in_force() -> None:
    branch = closed(BRANCH, "a", 2, None)
    for day in (20, 28, 15):
        branch = reopen(branch, Terms("a", dec(day)), at=AT)
    (closure,) = branch.closures
    assert [a.reopened_on for a in closure.announcements] == [None, dec(20), dec(28), dec(15)]
    assert closure.reopened_on == dec(15)
    assert [terms.starts_on for terms in branch.terms] == [dec(15)]


def test_the_same_announcement_again_changes_nothing() -> None:
    terms = Terms("a", dec(20), services=("lending",))
    branch = reopen(closed(BRANCH, "a", 2, None), terms, at=AT)
    assert reopen(branch, terms, at=AT) is branch
    other = reopen(branch, Terms("a", dec(20), services=("returning",)), at=AT)
    assert other.version == branch.version + 1


def test_a_branch_is_not_reopened_before_its_closure_nor_from_one_that_is_not_its() -> None:
    branch = closed(BRANCH, "a", 10, None)
    with pytest.raises(NeverClosed):
        reopen(branch, Terms("a", dec(9)), at=AT)
    with pytest.raises(NotInClosure):
        reopen(branch, Terms("other", dec(20)), at=AT)
    revoked = reopen(branch, Terms("a", dec(10)), at=AT)
    assert day_of(revoked, dec(10)).open
    assert len(closed(revoked, "b", 10, None).closures) == 2


def test_a_reopening_does_not_run_into_the_next_closure() -> None:
    branch = closed(closed(BRANCH, "a", 2, 5), "b", 10, None)
    with pytest.raises(ClosureOverlaps):
        reopen(branch, Terms("a", dec(12)), at=AT)
    assert reopen(branch, Terms("a", dec(10)), at=AT).closures[0].reopened_on == dec(10)


def test_terms_are_in_force_from_the_reopening_on() -> None:
    branch = closed(BRANCH, "a", 2, None)
    terms = Terms("a", dec(19), ("lending",), ("hand hygiene",), 600, SHORT)
    branch = reopen(branch, terms, at=AT)
    before, shut, after = (day_of(branch, dec(day)) for day in (1, 18, 21))
    assert (before.open, before.services, before.hours[0].opens) == (True, (), "09:00")
    assert (shut.open, shut.hours, shut.services, shut.capacity) == (False, (), (), None)
    assert shut.closure is not None
    assert shut.closure.closure_id == "a"
    assert (after.open, after.services, after.measures) == (True, ("lending",), ("hand hygiene",))
    assert (after.capacity, after.hours) == (600, (Hours(0, "10:00", "18:00"),))
    assert after.closure is None


def test_a_weekday_without_hours_is_closed_without_a_closure() -> None:
    sunday = day_of(BRANCH, dec(6))
    assert (sunday.open, sunday.hours, sunday.closure) == (False, (), None)


def test_new_weekly_hours_end_the_special_ones_in_force_but_not_those_to_come() -> None:
    branch = reopen(closed(BRANCH, "a", 2, None), Terms("a", dec(14), hours=SHORT), at=AT)
    later = tuple(Hours(weekday, "11:00", "15:00") for weekday in range(6))
    meanwhile = change_hours(branch, later, dec(10))
    assert day_of(meanwhile, dec(15)).hours[0].opens == "10:00"
    after = change_hours(branch, later, dec(16))
    assert day_of(after, dec(15)).hours[0].opens == "10:00"
    assert day_of(after, dec(16)).hours[0].opens == "11:00"


def test_a_day_may_have_a_pause_at_noon() -> None:
    halves = (Hours(0, "14:00", "18:00"), Hours(0, "09:00", "13:00"))
    assert checked_hours(halves) == (halves[1], halves[0])


@pytest.mark.parametrize(
    "hours",
    [
        [Hours(0, "20:00", "09:00")],
        [Hours(0, "09:00", "09:00")],
        [Hours(0, "09:00", "13:00"), Hours(0, "12:00", "18:00")],
    ],
    ids=["backwards", "no time", "overlap"],
)
def test_hours_that_cannot_be_are_refused(hours: list[Hours]) -> None:
    with pytest.raises(BadHours):
        checked_hours(hours)
