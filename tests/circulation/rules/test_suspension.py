"""The loans that a fine suspension covers, and the day on which it ends."""

from dataclasses import replace
from datetime import date

import pytest

from services.circulation import refusals
from services.circulation.rules.suspension import (
    FineSuspension,
    Relief,
    amend,
    notice_resumption,
    relief_on,
    withdraw,
)

START, RESUME = date(2020, 12, 10), date(2021, 3, 5)


def suspension(
    starts: date,
    resumes: date | None,
    branches: frozenset[str] = frozenset(),
    kinds: frozenset[str] = frozenset(),
) -> FineSuspension:
    return FineSuspension("s1", starts, resumes, branches, kinds)


def resuming(one: FineSuspension, on: date | None) -> FineSuspension:
    return amend(one, one.starts_on, on, one.reason)


LIBRARY = suspension(START, RESUME)
MOBILE = suspension(START, RESUME, kinds=frozenset({"mobile"}))
TWO = suspension(START, RESUME, branches=frozenset({"HKCL", "STPL"}))
BOTH = suspension(START, RESUME, branches=frozenset({"HKCL"}), kinds=frozenset({"mobile"}))


@pytest.mark.parametrize(
    ("scope", "code", "kind", "free"),
    [
        (LIBRARY, "HKCL", "central", True),
        (MOBILE, "ML1", "mobile", True),
        (MOBILE, "HKCL", "central", False),
        (TWO, "STPL", "major", True),
        (TWO, "TMPL", "major", False),
        (BOTH, "HKCL", "central", True),
        (BOTH, "ML1", "mobile", True),
        (BOTH, "TMPL", "major", False),
    ],
)
def test_a_suspension_frees_the_branches_in_its_scope(
    scope: FineSuspension, code: str, kind: str, free: bool
) -> None:
    assert scope.covers(code, kind, date(2021, 1, 1)) is free


@pytest.mark.parametrize(
    ("day", "free"),
    [("2020-12-09", False), ("2020-12-10", True), ("2021-03-04", True), ("2021-03-05", False)],
)
def test_a_suspension_frees_from_its_start_until_the_day_before_fines_resume(
    day: str, free: bool
) -> None:
    assert LIBRARY.covers("HKCL", "central", date.fromisoformat(day)) is free


@pytest.mark.parametrize(
    ("others", "relief"),
    [
        ([], Relief(RESUME)),
        ([suspension(RESUME, date(2021, 5, 3))], Relief(date(2021, 5, 3))),
        ([suspension(RESUME, None)], Relief(None)),
        ([suspension(date(2021, 3, 6), None)], Relief(RESUME)),
        ([suspension(RESUME, None, kinds=frozenset({"mobile"}))], Relief(RESUME)),
    ],
    ids=["one", "one after the other", "no end announced", "a gap between", "another's"],
)
def test_relief_lasts_until_the_last_consecutive_suspension_ends(
    others: list[FineSuspension], relief: Relief
) -> None:
    assert relief_on([LIBRARY, *others], "HKCL", "central", date(2021, 2, 1)) == relief


def test_relief_ends_once_fines_resume() -> None:
    assert relief_on([LIBRARY], "HKCL", "central", RESUME) is None


# ---- its end ------------------------------------------------------------------------------------


def test_the_end_of_a_suspension_can_be_announced_moved_and_cancelled() -> None:
    spring = FineSuspension("s1", date(2020, 12, 10), None)
    announced = resuming(spring, date(2021, 3, 5))
    assert (announced.resumes_on, announced.version) == (date(2021, 3, 5), 2)
    assert resuming(announced, date(2021, 3, 5)) is announced
    assert resuming(announced, None) == replace(spring, version=3)
    with pytest.raises(refusals.ResumesBeforeStart):
        resuming(spring, date(2020, 12, 10))


def test_a_resumption_is_published_once_from_its_day_on() -> None:
    ends = FineSuspension("s1", date(2020, 12, 10), date(2021, 3, 5))
    assert notice_resumption(ends, date(2021, 3, 4)) is ends
    noticed = notice_resumption(ends, date(2021, 3, 6))
    assert (noticed.resumption_noticed_on, noticed.version) == (date(2021, 3, 6), 2)
    assert notice_resumption(noticed, date(2021, 3, 7)) is noticed
    moved = resuming(noticed, date(2021, 5, 3))
    assert notice_resumption(moved, date(2021, 5, 3)).version == 4
    assert notice_resumption(resuming(ends, None), date(2022, 1, 1)).version == 2


TODAY = date(2021, 1, 15)


@pytest.mark.parametrize(
    ("one", "in_error", "free"),
    [
        pytest.param(LIBRARY, False, date(2021, 1, 14), id="the days before today stay free"),
        pytest.param(LIBRARY, True, None, id="recorded in error, no day is free"),
        pytest.param(
            suspension(date(2021, 2, 1), None), False, None, id="before it begins, no day is free"
        ),
    ],
)
def test_withdrawing_a_suspension_ends_its_free_days(
    one: FineSuspension, in_error: bool, free: date | None
) -> None:
    gone = withdraw(one, on=TODAY, in_error=in_error, reason="typing error")
    assert gone.version == one.version + 1
    assert not gone.covers("HKCL", "central", TODAY)
    if free is None:
        assert not gone.covers("HKCL", "central", one.starts_on)
    else:
        assert gone.covers("HKCL", "central", free)
    with pytest.raises(refusals.SuspensionWithdrawn):
        withdraw(gone, on=TODAY, in_error=True, reason="again")
    with pytest.raises(refusals.SuspensionWithdrawn):
        resuming(gone, date(2021, 5, 3))


@pytest.mark.parametrize(
    ("in_error", "refusal"),
    [
        pytest.param(
            False, refusals.SuspensionOver, id="its days stay free, so there is nothing to do"
        ),
        pytest.param(True, None, id="in error it is undone at any time"),
    ],
)
def test_an_ended_suspension_can_be_withdrawn_only_as_an_error(
    in_error: bool, refusal: type[refusals.Refusal] | None
) -> None:
    after = date(2021, 4, 1)
    if refusal is None:
        gone = withdraw(LIBRARY, on=after, in_error=in_error, reason="typing error")
        assert not gone.covers("HKCL", "central", START)
    else:
        with pytest.raises(refusal):
            withdraw(LIBRARY, on=after, in_error=in_error, reason="typing error")


def test_amending_only_the_reason_does_not_announce_the_resumption_again() -> None:
    noticed = notice_resumption(LIBRARY, RESUME)
    mended = amend(noticed, START, RESUME, "epidemic, first wave")
    assert mended.resumption_noticed_on == RESUME
    assert mended.version == noticed.version + 1
