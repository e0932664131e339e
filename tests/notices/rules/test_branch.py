"""The rules of a branch's calendar: closing, reopening and opening hours."""

from collections.abc import Iterable
from datetime import UTC, date, datetime

import pytest

from services.notices.branches import refusals
from services.notices.branches.rules.branch import (
    Branch,
    Terms,
    amend,
    cancel_reopening,
    change_hours,
    close,
    day_of,
    register,
    reopen,
    withdraw,
)
from services.notices.branches.rules.hours import Hours, checked_hours

WEEK = tuple(Hours(weekday, "09:00", "20:00") for weekday in range(6))
SHORT = tuple(Hours(weekday, "10:00", "18:00") for weekday in range(6))
BRANCH = register("TPO", "Tai Po", "district", WEEK, date(2020, 11, 1))
AT = datetime(2020, 12, 9, 10, tzinfo=UTC)


def dec(day: int) -> date:
    return date(2020, 12, day)


def closed(branch: Branch, closure_id: str, start: int, end: int | None) -> Branch:
    until = None if end is None else dec(end)
    return close(branch, closure_id, dec(start), until, "", at=AT)


def open_days(branch: Branch) -> list[int]:
    """Return the open days from 1 to 26 December."""
    return [n for n in range(1, 27) if day_of(branch, dec(n)).open]


ALL = [n for n in range(1, 27) if dec(n).isoweekday() != 7]


def test_hours_and_closures_share_one_version_number() -> None:
    branch = closed(BRANCH, "a", 10, None)
    branch = change_hours(branch, SHORT, dec(11))
    branch = reopen(branch, Terms("a", dec(20)), at=AT)
    assert branch.version == 4
    assert [a.version for a in branch.closures[0].announcements] == [2, 4]


@pytest.mark.parametrize(
    ("earlier", "later", "shut"),
    [
        pytest.param((10, None), (15, None), range(10, 27), id="no end announced"),
        pytest.param((10, None), (15, 20), range(10, 27), id="within one without end"),
        pytest.param((10, 20), (12, 15), range(10, 20), id="a typhoon day within"),
        pytest.param((10, 20), (5, 11), range(5, 20), id="into its beginning"),
        pytest.param((10, 20), (5, None), range(5, 27), id="all over it"),
        pytest.param((10, 20), (10, 25), range(10, 25), id="from its first day"),
        pytest.param((10, 20), (20, 25), range(10, 25), id="after it"),
        pytest.param((10, 20), (5, 10), range(5, 20), id="before it"),
    ],
)
def test_a_branch_is_closed_while_one_of_its_closures_lasts(
    earlier: tuple[int, int | None], later: tuple[int, int | None], shut: range
) -> None:
    branch = closed(closed(BRANCH, "a", *earlier), "b", *later)
    assert open_days(branch) == [n for n in ALL if n not in shut]
    assert [len(c.announcements) for c in branch.closures] == [1, 1]


def test_a_repeated_closure_is_refused_unless_the_first_was_withdrawn() -> None:
    branch = closed(BRANCH, "a", 10, None)
    with pytest.raises(refusals.ClosedAlready):
        closed(branch, "b", 10, None)
    again = withdraw(branch, "a", in_error=True, at=AT, today=dec(9))
    assert open_days(closed(again, "b", 10, None)) == [n for n in ALL if n < 10]


def test_a_later_closure_cancels_an_announced_reopening_until_it_is_withdrawn() -> None:
    """In July 2020, the resumption announced for the 20th was revoked on the 15th."""
    branch = closed(BRANCH, "a", 2, None)
    branch = reopen(branch, Terms("a", dec(20), services=("lending",)), at=AT)
    branch = closed(branch, "b", 15, None)
    assert not day_of(branch, dec(20)).open
    branch = withdraw(branch, "b", in_error=True, at=AT, today=dec(16))
    assert day_of(branch, dec(21)).services == ("lending",)
    assert not day_of(branch, dec(19)).open


def test_an_announced_reopening_can_be_cancelled_before_its_day() -> None:
    branch = reopen(closed(BRANCH, "a", 2, None), Terms("a", dec(20), ("lending",)), at=AT)
    branch = cancel_reopening(branch, "a", at=AT, today=dec(19))
    assert [a.reopened_on for a in branch.closures[0].announcements] == [None, dec(20), None]
    assert branch.terms == ()
    assert cancel_reopening(branch, "a", at=AT, today=dec(25)) is branch
    with pytest.raises(refusals.ReopenedAlready):
        cancel_reopening(reopen(branch, Terms("a", dec(20)), at=AT), "a", at=AT, today=dec(20))


@pytest.mark.parametrize(
    ("span", "today", "in_error", "shut"),
    [
        pytest.param((10, None), 15, False, range(10, 15), id="from today on"),
        pytest.param((10, 20), 15, False, range(10, 15), id="before its end"),
        pytest.param((10, 20), 5, False, (), id="before it began"),
        pytest.param((10, None), 15, True, (), id="in error, begun"),
        pytest.param((10, 20), 25, True, (), id="in error, over"),
    ],
)
def test_a_withdrawn_closure_closes_no_day(
    span: tuple[int, int | None], today: int, in_error: bool, shut: Iterable[int]
) -> None:
    branch = withdraw(closed(BRANCH, "a", *span), "a", in_error=in_error, at=AT, today=dec(today))
    assert open_days(branch) == [n for n in ALL if n not in shut]
    assert branch.closures[0].now.withdrawn == ("in-error" if in_error else "ended")


def test_a_repeated_withdrawal_changes_nothing_unless_it_now_names_an_error() -> None:
    branch = closed(BRANCH, "a", 10, None)
    ended = withdraw(branch, "a", in_error=False, at=AT, today=dec(15))
    assert withdraw(ended, "a", in_error=False, at=AT, today=dec(16)) is ended
    error = withdraw(ended, "a", in_error=True, at=AT, today=dec(16))
    assert open_days(error) == ALL
    assert withdraw(error, "a", in_error=True, at=AT, today=dec(17)) is error
    assert withdraw(error, "a", in_error=False, at=AT, today=dec(17)) is error


def test_a_past_or_withdrawn_closure_cannot_be_changed() -> None:
    with pytest.raises(refusals.ClosureOver):
        withdraw(closed(BRANCH, "a", 10, 12), "a", in_error=False, at=AT, today=dec(12))
    with pytest.raises(refusals.NotInClosure):
        withdraw(BRANCH, "a", in_error=True, at=AT, today=dec(12))
    gone = withdraw(closed(BRANCH, "a", 10, 12), "a", in_error=True, at=AT, today=dec(9))
    with pytest.raises(refusals.ClosureWithdrawn):
        reopen(gone, Terms("a", dec(20)), at=AT)
    with pytest.raises(refusals.ClosureWithdrawn):
        amend(gone, "a", starts_on=dec(9), reason=None, at=AT)
    with pytest.raises(refusals.ClosureWithdrawn):
        cancel_reopening(gone, "a", at=AT, today=dec(9))


def test_correcting_the_first_day_or_reason_keeps_the_announcements() -> None:
    branch = closed(BRANCH, "a", 10, 20)
    branch = amend(branch, "a", starts_on=dec(12), reason=None, at=AT)
    branch = amend(branch, "a", starts_on=None, reason="typhoon", at=AT)
    assert open_days(branch) == [n for n in ALL if n not in range(12, 20)]
    assert [(a.starts_on, a.reason) for a in branch.closures[0].announcements] == [
        (dec(10), ""),
        (dec(12), ""),
        (dec(12), "typhoon"),
    ]
    assert amend(branch, "a", starts_on=dec(12), reason="typhoon", at=AT) is branch
    with pytest.raises(refusals.NeverClosed):
        amend(branch, "a", starts_on=dec(20), reason=None, at=AT)


@pytest.mark.parametrize("end", [9, 10])
def test_a_closure_lasts_at_least_one_day(end: int) -> None:
    with pytest.raises(refusals.NeverClosed):
        closed(BRANCH, "a", 10, end)


def test_every_announced_end_is_kept_and_the_last_one_applies() -> None:
    branch = closed(BRANCH, "a", 2, None)
    for day in (20, 28, 15):
        branch = reopen(branch, Terms("a", dec(day)), at=AT)
    (closure,) = branch.closures
    assert [a.reopened_on for a in closure.announcements] == [None, dec(20), dec(28), dec(15)]
    assert closure.now.reopened_on == dec(15)
    assert [terms.starts_on for terms in branch.terms] == [dec(15)]


def test_the_same_announcement_again_changes_nothing() -> None:
    terms = Terms("a", dec(20), services=("lending",))
    branch = reopen(closed(BRANCH, "a", 2, None), terms, at=AT)
    assert reopen(branch, terms, at=AT) is branch
    other = reopen(branch, Terms("a", dec(20), services=("returning",)), at=AT)
    assert other.version == branch.version + 1


def test_a_reopening_before_its_closure_or_of_another_branch_is_refused() -> None:
    branch = closed(BRANCH, "a", 10, None)
    with pytest.raises(refusals.NeverClosed):
        reopen(branch, Terms("a", dec(9)), at=AT)
    with pytest.raises(refusals.NotInClosure):
        reopen(branch, Terms("other", dec(20)), at=AT)
    revoked = reopen(branch, Terms("a", dec(10)), at=AT)
    assert day_of(revoked, dec(10)).open
    assert len(closed(revoked, "b", 10, None).closures) == 2


def test_the_terms_of_a_reopening_apply_from_its_day() -> None:
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


def test_the_terms_announced_last_apply_if_two_closures_end_on_one_day() -> None:
    branch = closed(closed(BRANCH, "a", 2, None), "b", 4, None)
    daily = (*WEEK, Hours(6, "09:00", "20:00"))
    branch = reopen(branch, Terms("a", dec(14), hours=daily), at=AT)
    branch = reopen(branch, Terms("b", dec(14)), at=AT)
    assert not day_of(branch, dec(20)).open
    branch = reopen(branch, Terms("a", dec(14), ("lending",), hours=daily), at=AT)
    assert day_of(branch, dec(20)).open


def test_a_weekday_without_hours_is_closed_without_a_closure() -> None:
    sunday = day_of(BRANCH, dec(6))
    assert (sunday.open, sunday.hours, sunday.closure) == (False, (), None)


def test_new_weekly_hours_end_current_but_not_future_special_hours() -> None:
    branch = reopen(closed(BRANCH, "a", 2, None), Terms("a", dec(14), hours=SHORT), at=AT)
    later = tuple(Hours(weekday, "11:00", "15:00") for weekday in range(6))
    meanwhile = change_hours(branch, later, dec(10))
    assert day_of(meanwhile, dec(15)).hours[0].opens == "10:00"
    after = change_hours(branch, later, dec(16))
    assert day_of(after, dec(15)).hours[0].opens == "10:00"
    assert day_of(after, dec(16)).hours[0].opens == "11:00"


def test_new_weekly_hours_do_not_change_earlier_days() -> None:
    mondays_only = tuple(Hours(0, "11:00", "15:00") for _ in range(1))
    branch = change_hours(BRANCH, mondays_only, dec(14))
    assert open_days(branch) == [n for n in ALL if n < 14 or n in {14, 21}]
    branch = change_hours(branch, WEEK, dec(14))  # corrected
    assert open_days(branch) == ALL
    assert branch.hours == WEEK


def test_the_hours_of_a_day_may_have_a_break() -> None:
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
def test_impossible_hours_are_refused(hours: list[Hours]) -> None:
    with pytest.raises(refusals.BadHours):
        checked_hours(hours)
