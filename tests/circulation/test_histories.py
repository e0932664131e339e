"""Invariants of due dates under any announcements, amendments and withdrawals of closures."""

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import combinations

from services.circulation.closures.commands import calendar_of
from services.circulation.rules.branch_calendar import BranchCalendar
from services.circulation.rules.due_date import apply_announcements
from services.circulation.rules.loan import Loan, renew
from services.circulation.rules.policy import Policy
from services.circulation.rules.sweep import newly_closed
from services.notices.branches.rules import branch as branch_rules
from tests.circulation.branch_story import START, history, snapshot

AT = datetime(2021, 3, 1, tzinfo=UTC)


def stories(count: int) -> Iterator[tuple[random.Random, list[branch_rules.Branch]]]:
    for seed in range(count):
        chance = random.Random(seed)  # noqa: S311
        yield chance, history(chance)


def loan(due_on: date, lot: int) -> Loan:
    """A loan made before any announcement."""
    return Loan(
        id=f"l{lot}",
        patron_id="p1",
        patron_category="adult",
        title_id="t1",
        copy_id="k1",
        barcode="b1",
        copy_category="adult",
        branch_code="X",
        branch_kind="central",
        policy=Policy(id="default"),
        borrowed_on=START,
        due_on=due_on,
        due_set_at_version=1,
        calendar_version=1,
    )


def loans() -> list[Loan]:
    return [loan(START + timedelta(days=day), day) for day in range(1, 130, 4)]


def followed(before: Loan, *calendars: BranchCalendar) -> Loan:
    for calendar in calendars:
        before = (before, *apply_announcements(before, calendar))[-1]
    return before


def calendars(versions: list[branch_rules.Branch]) -> list[BranchCalendar]:
    return [calendar_of(snapshot(branch)) for branch in versions]


def test_the_newest_snapshot_gives_the_same_dates_and_moves_as_all_snapshots() -> None:
    moved = restored = 0
    for _, versions in stories(60):
        known = calendars(versions)
        for one in loans():
            after = followed(one, *known)
            assert after == followed(one, known[-1])
            assert followed(after, known[-1]) is after
            moved += len(after.moves)
            restored += sum(move.cause.kind == "withdrawal" for move in after.moves)
    assert moved > 100
    assert restored > 10


def test_a_due_date_moves_earlier_only_when_an_error_is_withdrawn() -> None:
    for _, versions in stories(60):
        last = calendar_of(snapshot(versions[-1]))
        for one in loans():
            after = followed(one, last)
            assert after.due_on >= one.due_on
            for move in after.moves:
                assert (move.to < move.from_) == (move.cause.kind == "withdrawal")


def test_all_closures_withdrawn_as_errors_restore_every_date() -> None:
    restored = 0
    for _, versions in stories(60):
        branch = versions[-1]
        known = calendars(versions)
        for closure in branch.closures:
            branch = branch_rules.withdraw(
                branch, closure.closure_id, in_error=True, at=AT, today=AT.date()
            )
            known.append(calendar_of(snapshot(branch)))
        for one in loans():
            before, after = followed(one, *known[: len(versions)]), followed(one, *known)
            assert after.due_on == one.due_on
            restored += before.due_on != one.due_on
    assert restored > 50


def test_withdrawing_an_error_leaves_the_dates_as_if_it_was_never_recorded() -> None:
    """A date may also be earlier than without the error.

    That happens if the error kept the date from moving to an end that was cancelled since.
    """
    different = 0
    for chance, versions in stories(60):
        branch = versions[-1]
        if not branch.closures:
            continue
        error = chance.choice(branch.closures)
        gone = branch_rules.withdraw(
            branch, error.closure_id, in_error=True, at=AT, today=AT.date()
        )
        others = tuple(c for c in branch.closures if c is not error)
        always_ended = all(a.reopened_on for c in branch.closures for a in c.announcements)
        known = calendar_of(snapshot(branch))
        without_it = calendar_of(snapshot(replace(branch, closures=others)))
        for one in loans():
            before = followed(one, known)
            after = followed(before, calendar_of(snapshot(gone)))
            as_if_never = followed(one, without_it)
            assert after.due_on <= as_if_never.due_on
            if always_ended:
                assert after.due_on == as_if_never.due_on
            different += before.due_on != after.due_on
    assert different > 20


def test_a_renewal_ends_the_effect_of_earlier_moves() -> None:
    settled = 0
    for _, versions in stories(40):
        branch = versions[-1]
        known = calendar_of(snapshot(branch))
        for one in loans():
            before = followed(one, known)
            renewed = renew(before, on=before.due_on, calendar=known.now, queue=0, blocked=False)
            gone = branch
            for closure in branch.closures:
                gone = branch_rules.withdraw(
                    gone, closure.closure_id, in_error=True, at=AT, today=AT.date()
                )
            after = followed(renewed, calendar_of(snapshot(gone)))
            assert after.due_on >= renewed.due_on
            settled += before.due_on != one.due_on
    assert settled > 30


def test_every_day_that_a_change_closes_is_among_those_whose_fines_are_worked_out_again() -> None:
    closed = 0
    for _, versions in stories(60):
        known = calendars(versions)
        for before, after in combinations(known, 2):
            span = newly_closed(after, before.version)
            for day in (START + timedelta(days=number) for number in range(200)):
                if before.now.is_open(day) and not after.now.is_open(day):
                    closed += 1
                    assert span is not None
                    assert span[0] <= day <= span[1]
    assert closed > 1000


def test_a_branch_is_open_on_the_days_that_notices_shows_as_open() -> None:
    for _, versions in stories(60):
        for branch, known in zip(versions, calendars(versions), strict=True):
            for day in (START + timedelta(days=number) for number in range(150)):
                assert known.now.is_open(day) == branch_rules.day_of(branch, day).open
