"""Invariants of every calendar, due date and fine."""

import contextlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import partial
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.circulation.refusals import NothingToGain
from services.circulation.rules.calendar import Calendar, Closure
from services.circulation.rules.due_date import fine, is_overdue, move_due
from services.circulation.rules.fines import (
    Disposition,
    Statement,
    as_document,
    from_document,
    statement,
)
from services.circulation.rules.loan import Loan, renew
from services.circulation.rules.policy import Policy
from services.circulation.rules.suspension import FineSuspension
from services.circulation.rules.terms import FineTier
from tests.day_by_day import DAY, Rates, days, next_open, overdue_days

JANUARY_1 = date(2021, 1, 1)


@dataclass(frozen=True)
class Case:
    """All inputs of a fine."""

    policy: Policy
    calendar: Calendar
    suspensions: tuple[FineSuspension, ...]
    due_on: date
    until: date

    def fine(self) -> Statement:
        return statement(
            due_on=self.due_on,
            until=self.until,
            policy=self.policy,
            calendar=self.calendar,
            suspensions=self.suspensions,
        )

    def closed(self, *more: Closure) -> "Case":
        calendar = replace(self.calendar, closures=(*self.calendar.closures, *more))
        return replace(self, calendar=calendar)

    def suspended(self, *more: FineSuspension) -> "Case":
        return replace(self, suspensions=(*self.suspensions, *more))


class Dice:
    """Choices read from one draw of bytes, which is many times faster than a tree of draws.

    Smaller bytes make simpler choices, so failing cases still shrink to simple ones.
    """

    def __init__(self, drawn: bytes) -> None:
        self._number = int.from_bytes(drawn)

    def below(self, sides: int) -> int:
        self._number, face = divmod(self._number, sides)
        return face

    def of(self, *choices: int | None) -> int | None:
        return choices[self.below(len(choices))]

    def day(self) -> date:
        return JANUARY_1 + self.below(200) * DAY

    def end(self, first: date) -> date | None:
        """Return a day 0 or more days after `first`; rarely None, for no end."""
        return first + self.below(60) * DAY if self.below(8) < 7 else None

    def closure(self) -> Closure:
        first = self.day()
        return Closure("c", first, self.end(first))

    def suspension(self) -> FineSuspension:
        first = self.day()
        return FineSuspension("s", first, self.end(first))

    def calendar(self) -> Calendar:
        weekly = frozenset(1 + self.below(7) for _ in range(self.below(3)))
        if self.below(50) == 49:
            weekly = frozenset(range(1, 8))
        closures = tuple(self.closure() for _ in range(self.below(4)))
        return Calendar("HKCL", "central", weekly, closures)

    def terms(self) -> dict[str, Any]:
        """Return terms that few rows set: periods, tiers, grace and a minimum."""
        begins = sorted({2 + self.below(8) for _ in range(self.below(3))})
        return {
            "charge_every": 1 + self.below(4),
            "charge_unit": "week" if self.below(4) == 3 else "day",
            "charge_completed": bool(self.below(2)),
            "fine_tiers": tuple(FineTier(first, self.of(0, 30, 300) or 0) for first in begins),
            "fine_minimum_cents": self.of(0, 0, 200) or 0,
            "grace_forgiven": bool(self.below(2)),
        }

    def case(self) -> Case:
        return Case(
            Policy(
                id="default",
                fine_per_day_cents=self.of(150, 50, 37, 0) or 0,
                fine_cap_cents=self.of(None, 13_000, 1000, 425, 0),
                grace_days=self.of(0, 1, 3, 30) or 0,
                count_closed_days=bool(self.below(2)),
                **(self.terms() if self.below(2) else {}),
            ),
            self.calendar(),
            tuple(self.suspension() for _ in range(self.below(4))),
            due_on := self.day(),
            due_on + (self.below(250) - 10) * DAY,
        )


DICE = st.binary(min_size=36, max_size=36).map(Dice)

quick = settings(max_examples=60, deadline=None, database=None)
thorough = settings(quick, max_examples=120)


# ---- the rules applied day by day ---------------------------------------------------------------


def is_open(calendar: Calendar, day: date) -> bool:
    return day.isoweekday() not in calendar.weekly_closed and not any(
        c.starts_on <= day and (c.reopened_on is None or day < c.reopened_on)
        for c in calendar.closures
    )


def rates_of(policy: Policy) -> Rates:
    return Rates(
        rate=policy.fine_per_day_cents,
        tiers=tuple((tier.from_period, tier.cents) for tier in policy.fine_tiers),
        every=policy.charge_every * (7 if policy.charge_unit == "week" else 1),
        completed=policy.charge_completed,
        minimum=policy.fine_minimum_cents,
        forgiven=policy.grace_forgiven,
    )


def day_by_day(case: Case) -> tuple[date | None, list[tuple[date, Disposition, int]]]:
    """Return the first open day from the due date, and each overdue day's disposition and cents."""
    open_on = partial(is_open, case.calendar)
    due = next_open(case.due_on, open_on)
    if due is None:
        return None, []
    counted = overdue_days(
        due,
        case.until,
        is_open=open_on,
        is_suspended=lambda day: any(
            s.starts_on <= day and (s.resumes_on is None or day < s.resumes_on)
            for s in case.suspensions
        ),
        rate=rates_of(case.policy),
        cap=case.policy.fine_cap_cents,
        grace_days=case.policy.grace_days,
        count_closed_days=case.policy.count_closed_days,
    )
    return due, [(day, Disposition(disposition), cents) for day, disposition, cents in counted]


def spans(fine: Statement) -> list[tuple[date, date, Disposition, int]]:
    return [(s.from_, s.to, s.disposition, s.amount_cents) for s in fine.spans]


def runs(
    priced: Iterable[tuple[date, Disposition, int]],
) -> list[tuple[date, date, Disposition, int]]:
    found: list[tuple[date, date, Disposition, int]] = []
    for day, disposition, cents in priced:
        if found and found[-1][2] is disposition:
            first, _, _, so_far = found.pop()
            found.append((first, day, disposition, so_far + cents))
        else:
            found.append((day, day, disposition, cents))
    return found


# ---- calendars ----------------------------------------------------------------------------------


@quick
@given(DICE)
def test_open_days_equal_those_counted_day_by_day(dice: Dice) -> None:
    calendar, day = dice.calendar(), dice.day()
    assert calendar.is_open(day) == is_open(calendar, day)
    assert calendar.next_open(day) == next_open(day, partial(is_open, calendar))
    assert calendar.next_closed(day) == next(
        (d for d in days(day, 210) if not is_open(calendar, d)), None
    )


@quick
@given(DICE)
def test_closed_runs_equal_the_closed_days_counted_day_by_day(dice: Dice) -> None:
    calendar, asked = dice.calendar(), list(days(dice.day(), 1 + dice.below(90)))
    found = list(calendar.closed_runs(asked[0], asked[-1]))
    assert [d for d in asked if any(first <= d <= last for first, last, _ in found)] == [
        d for d in asked if not is_open(calendar, d)
    ]
    assert all(causes for *_, causes in found)


# ---- fines --------------------------------------------------------------------------------------


@thorough
@given(DICE)
def test_a_statement_equals_the_rules_applied_day_by_day(dice: Dice) -> None:
    case = dice.case()
    due_on, priced = day_by_day(case)
    found = case.fine()
    assert found.due_on == due_on
    assert spans(found) == runs(priced)
    assert found.charged_days == sum(how is Disposition.CHARGED for _, how, _ in priced)
    assert found.amount_cents == sum(cents for *_, cents in priced)


@quick
@given(DICE)
def test_spans_cover_the_overdue_days_without_gap_or_overlap(dice: Dice) -> None:
    case = dice.case()
    found = case.fine()
    overdue = max((case.until - found.due_on).days, 0) if found.due_on else 0
    assert sum(span.days for span in found.spans) == overdue
    assert all(span.causes for span in found.spans)
    for before, after in zip(found.spans, found.spans[1:], strict=False):
        assert after.from_ == before.to + DAY
        assert after.disposition is not before.disposition


@quick
@given(DICE)
def test_a_fine_is_never_negative_nor_above_the_cap(dice: Dice) -> None:
    case = dice.case()
    found = case.fine()
    assert all(span.amount_cents >= 0 for span in found.spans)
    if case.policy.fine_cap_cents is not None:
        assert found.amount_cents <= case.policy.fine_cap_cents


@quick
@given(DICE)
def test_a_suspended_day_is_never_charged(dice: Dice) -> None:
    case = dice.case()
    for span in case.fine().spans:
        if span.disposition is not Disposition.SUSPENDED:
            free = [
                s
                for s in case.suspensions
                for d in days(span.from_, span.days)
                if s.covers("HKCL", "central", d)
            ]
            assert not free


@thorough
@given(DICE)
def test_closing_a_branch_or_suspending_fines_never_raises_a_fine(dice: Dice) -> None:
    closure, suspension, case = dice.closure(), dice.suspension(), dice.case()
    for relieved in (case.closed(closure), case.suspended(suspension)):
        assert relieved.fine().amount_cents <= case.fine().amount_cents
        assert relieved.fine().charged_days <= case.fine().charged_days


@quick
@given(DICE)
def test_splitting_a_closure_or_suspension_never_changes_a_statements_days(dice: Dice) -> None:
    closure, suspension, case = dice.closure(), dice.suspension(), dice.case()
    closed_until = min(closure.starts_on + dice.below(60) * DAY, closure.reopened_on or date.max)
    free_until = min(suspension.starts_on + dice.below(60) * DAY, suspension.resumes_on or date.max)
    whole = case.closed(closure).suspended(suspension).fine()
    split = (
        case.closed(
            replace(closure, reopened_on=closed_until),
            replace(closure, id="c'", starts_on=closed_until),
        )
        .suspended(
            replace(suspension, resumes_on=free_until),
            replace(suspension, id="s'", starts_on=free_until),
        )
        .fine()
    )
    assert split.due_on == whole.due_on
    assert spans(split) == spans(whole)


@quick
@given(DICE)
def test_a_stored_statement_is_read_back_unchanged(dice: Dice) -> None:
    found = dice.case().fine()
    assert from_document(json.loads(json.dumps(as_document(found)))) == found


# ---- due dates ----------------------------------------------------------------------------------


def loan(due_on: date) -> Loan:
    return Loan(
        id="l1",
        patron_id="p1",
        patron_category="adult",
        title_id="t1",
        copy_id="k1",
        barcode="30000000000017",
        copy_category="adult",
        branch_code="HKCL",
        branch_kind="central",
        policy=Policy(id="default"),
        borrowed_on=JANUARY_1,
        due_on=due_on,
    )


def moved(before: Loan, calendar: Calendar) -> Loan:
    cause = Closure("c", JANUARY_1, None).cause
    return move_due(before, calendar=calendar, cause=cause, at=datetime(2021, 1, 1, tzinfo=UTC))


@quick
@given(DICE)
def test_a_due_date_never_moves_earlier(dice: Dice) -> None:
    current = loan(dice.day())
    for _ in range(5):
        before, calendar = current, dice.calendar()
        current = moved(current, calendar)
        if dice.below(2):
            with contextlib.suppress(NothingToGain):
                current = renew(current, on=dice.day(), calendar=calendar, queue=0, blocked=False)
        assert current.due_on >= before.due_on
    assert all(move.from_ < move.to for move in current.moves)


@quick
@given(DICE)
def test_the_calendar_decides_before_and_after_the_stored_date_has_moved(dice: Dice) -> None:
    calendar, before, until = dice.calendar(), loan(dice.day()), dice.day()
    after = moved(before, calendar)
    assert is_overdue(before, calendar, until) == is_overdue(after, calendar, until)
    assert fine(before, calendar, (), until) == fine(after, calendar, (), until)
