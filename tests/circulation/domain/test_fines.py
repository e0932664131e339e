"""Fines as the library's policy has them, and what holds of every fine."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.circulation.domain.calendar import Calendar, Closure
from services.circulation.domain.fines import (
    Disposition,
    Statement,
    as_document,
    from_document,
    statement,
)
from services.circulation.domain.policy import Policy
from services.circulation.domain.suspension import FineSuspension

DAY = timedelta(days=1)
PUBLISHED: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "data" / "fine-cases.json").read_text()
)["cases"]


@dataclass(frozen=True)
class Case:
    """All that a fine depends on."""

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

    def with_closures(self, closures: Iterable[Closure]) -> "Case":
        return replace(self, calendar=replace(self.calendar, closures=tuple(closures)))


def day(text: str) -> date:
    return date.fromisoformat(text)


def closure(first: str, reopened: str | None, id: str = "c1") -> Closure:  # noqa: A002 - its field
    return Closure(id, day(first), day(reopened) if reopened else None, "epidemic", version=3)


def suspension(starts: str, resumes: str | None, id: str = "s1") -> FineSuspension:  # noqa: A002 - its field
    return FineSuspension(
        id, day(starts), day(resumes) if resumes else None, reason="relief", version=2
    )


def case(
    due_on: str,
    until: str,
    *,
    closures: Iterable[Closure] = (),
    suspensions: Iterable[FineSuspension] = (),
    weekly_closed: Iterable[int] = (),
    **terms: Any,
) -> Case:
    calendar = Calendar("HKCL", "central", frozenset(weekly_closed), tuple(closures), version=4)
    policy = Policy(id="default", **terms)
    return Case(policy, calendar, tuple(suspensions), day(due_on), day(until))


def published(written: dict[str, Any]) -> Case:
    terms = dict(written["policy"])
    return case(
        written["due_on"],
        written["returned_on"],
        closures=[closure(c["from"], c["reopened_on"]) for c in written["calendar"]["closures"]],
        suspensions=[suspension(s["starts_on"], s["resumes_on"]) for s in written["suspensions"]],
        weekly_closed=written["calendar"]["weekly_closed"],
        fine_cap_cents=terms.pop("cap_cents"),
        **terms,
    )


def spans(fine: Statement) -> list[tuple[str, str, int, str, int]]:
    return [
        (str(s.from_), str(s.to), s.days, s.disposition.value, s.amount_cents) for s in fine.spans
    ]


# ---- the table ----------------------------------------------------------------------------------


@pytest.mark.parametrize("written", PUBLISHED, ids=[c["name"] for c in PUBLISHED])
def test_every_published_case_is_exact(written: dict[str, Any]) -> None:
    document = as_document(published(written).fine())
    for span in document["spans"]:
        assert span.pop("cause")
    assert document == written["expect"]


def test_the_table_is_whole() -> None:
    assert len(PUBLISHED) == 54


# ---- policy -------------------------------------------------------------------------------------

MAY_1, MAY_5 = "2021-05-01", "2021-05-05"

RULES = {
    "a loan back on its due date owes nothing": (case(MAY_1, MAY_1), 0),
    "a loan back before its due date owes nothing": (case(MAY_5, MAY_1), 0),
    "each day late costs the day's rate": (case(MAY_1, MAY_5), 600),
    "a children's item costs its own rate": (case(MAY_1, MAY_5, fine_per_day_cents=50), 200),
    "a day the branch is closed is free": (
        case(MAY_1, MAY_5, closures=[closure("2021-05-03", "2021-05-04")]),
        450,
    ),
    "a closed day counts where the policy says so": (
        case(MAY_1, MAY_5, closures=[closure("2021-05-03", "2021-05-04")], count_closed_days=True),
        600,
    ),
    "closed on the due date, due on reopening, even where closed days count": (
        case(MAY_1, MAY_5, closures=[closure(MAY_1, "2021-05-04")], count_closed_days=True),
        150,
    ),
    "closed on the due date and returned before reopening: nothing": (
        case(MAY_1, "2021-05-03", closures=[closure(MAY_1, "2021-05-04")]),
        0,
    ),
    "closing for good after the due date leaves the days before it": (
        case(MAY_1, "2021-12-31", closures=[closure("2021-05-04", None)]),
        300,
    ),
    "days before a suspension stay chargeable": (
        case(MAY_1, MAY_5, suspensions=[suspension("2021-05-03", None)]),
        150,
    ),
    "the day fines resume is charged": (
        case(MAY_1, MAY_5, suspensions=[suspension("2021-05-02", MAY_5)]),
        150,
    ),
    "a suspension frees closed days that the policy counts": (
        case(
            MAY_1,
            MAY_5,
            closures=[closure("2021-05-03", "2021-05-05")],
            suspensions=[suspension("2021-05-03", "2021-05-05")],
            count_closed_days=True,
        ),
        300,
    ),
    "suspended and closed days use up no grace": (
        case(
            MAY_1,
            "2021-05-10",
            closures=[closure("2021-05-02", "2021-05-05")],
            suspensions=[suspension("2021-05-05", "2021-05-08")],
            grace_days=3,
        ),
        0,
    ),
    "the first day past grace charges them all": (case(MAY_1, MAY_5, grace_days=3), 600),
    "a rate of nothing charges nothing": (case(MAY_1, MAY_5, fine_per_day_cents=0), 0),
    "without a cap a fine goes on": (case(MAY_1, "2031-05-01", fine_cap_cents=None), 3652 * 150),
    # the same situations are in the tests of Koha (noFinesWhenClosed, cap at replacement price)
    # and Evergreen (grace over closed days); the amounts are worked out by our rules
    "Koha: closed on the middle of three days, two count": (
        case("2021-05-03", "2021-05-06", weekly_closed=[3], fine_per_day_cents=100),
        200,
    ),
    "Koha: the same with closed days counted": (
        case(
            "2021-05-03",
            "2021-05-06",
            weekly_closed=[3],
            fine_per_day_cents=100,
            count_closed_days=True,
        ),
        300,
    ),
    "Koha: never more than the replacement price": (
        case(MAY_1, "2021-05-31", fine_per_day_cents=100, fine_cap_cents=500),
        500,
    ),
    "Evergreen: a weekend closed within grace is not late": (
        case("2021-05-07", "2021-05-11", weekly_closed=[6, 7], grace_days=2),
        0,
    ),
}


@pytest.mark.parametrize(("given_case", "cents"), RULES.values(), ids=RULES.keys())
def test_what_is_owed(given_case: Case, cents: int) -> None:
    assert given_case.fine().amount_cents == cents


def test_a_loan_is_never_overdue_while_no_reopening_is_announced() -> None:
    fine = case(MAY_1, "2031-01-01", closures=[closure("2021-04-01", None)]).fine()
    assert fine == Statement(due_on=None, charged_days=0, amount_cents=0, spans=())


def test_a_branch_closed_all_week_never_makes_a_loan_overdue() -> None:
    assert case(MAY_1, "2031-01-01", weekly_closed=range(1, 8)).fine().due_on is None


def test_the_day_that_reaches_the_cap_pays_what_is_left_and_later_days_are_capped() -> None:
    fine = case(MAY_1, "2021-05-08", fine_cap_cents=400).fine()
    assert spans(fine) == [
        ("2021-05-02", "2021-05-04", 3, "charged", 400),
        ("2021-05-05", "2021-05-08", 4, "capped", 0),
    ]


def test_days_at_no_rate_are_charged_at_nothing_whatever_the_cap() -> None:
    fine = case(MAY_1, MAY_5, fine_per_day_cents=0, fine_cap_cents=0).fine()
    assert spans(fine) == [("2021-05-02", "2021-05-05", 4, "charged", 0)]
    assert fine.charged_days == 4


def test_a_span_names_what_caused_it() -> None:
    fine = case(
        MAY_1,
        "2021-05-12",
        closures=[closure("2021-05-04", "2021-05-06")],
        suspensions=[suspension("2021-05-09", "2021-05-11")],
        weekly_closed=[5],
    ).fine()
    assert [(s.disposition.value, s.days, *map(str, s.causes)) for s in fine.spans] == [
        ("charged", 2, "policy default (version 1): 150 cents a day, at most 13000"),
        ("closed", 2, "closure c1 (version 3): epidemic"),
        ("charged", 1, "policy default (version 1): 150 cents a day, at most 13000"),
        ("closed", 1, "weekly-closing HKCL (version 4): closed every Friday"),
        ("charged", 1, "policy default (version 1): 150 cents a day, at most 13000"),
        ("suspended", 2, "suspension s1 (version 2): relief"),
        ("charged", 2, "policy default (version 1): 150 cents a day, at most 13000"),
    ]


def test_a_branch_that_stays_closed_for_one_cause_after_another_gives_one_span_naming_each() -> (
    None
):
    (span,) = (
        case(
            MAY_1,
            "2021-05-07",
            closures=[
                closure("2021-05-02", "2021-05-05", "typhoon"),
                closure("2021-05-04", "2021-05-07", "epidemic"),
            ],
            weekly_closed=[5],
        )
        .fine()
        .spans
    )
    assert [cause.id for cause in span.causes] == ["typhoon", "epidemic", "HKCL"]


def test_a_weekly_closing_day_within_a_closure_is_put_down_to_the_closure() -> None:
    (span,) = (
        case(MAY_1, "2021-05-10", closures=[closure("2021-05-02", None)], weekly_closed=[5])
        .fine()
        .spans
    )
    assert [cause.id for cause in span.causes] == ["c1"]


def test_a_loan_a_lifetime_overdue_is_three_spans() -> None:
    fine = case("1950-05-01", "2950-05-01", closures=[closure("1960-01-01", "2900-01-01")]).fine()
    assert [s.disposition.value for s in fine.spans] == ["charged", "capped", "closed", "capped"]


# ---- what holds of every fine -------------------------------------------------------------------

DAYS = st.dates(date(2021, 1, 1), date(2021, 12, 31))
LENGTHS = st.one_of(st.none(), st.integers(0, 90))


@st.composite
def closures(draw: st.DrawFn) -> Closure:
    first, length = draw(DAYS), draw(LENGTHS)
    return Closure(
        draw(st.sampled_from("abc")), first, None if length is None else first + length * DAY
    )


@st.composite
def fine_suspensions(draw: st.DrawFn) -> FineSuspension:
    first, length = draw(DAYS), draw(LENGTHS)
    return FineSuspension(
        draw(st.sampled_from("xyz")), first, None if length is None else first + length * DAY
    )


CASES = st.builds(
    Case,
    policy=st.builds(
        Policy,
        id=st.just("default"),
        fine_per_day_cents=st.sampled_from([0, 37, 50, 150]),
        fine_cap_cents=st.sampled_from([None, 0, 425, 1000, 13_000]),
        grace_days=st.sampled_from([0, 1, 3, 30]),
        count_closed_days=st.booleans(),
    ),
    calendar=st.builds(
        Calendar,
        branch_code=st.just("HKCL"),
        branch_kind=st.just("central"),
        weekly_closed=st.frozensets(st.integers(1, 7), max_size=7),
        closures=st.lists(closures(), max_size=4).map(tuple),
    ),
    suspensions=st.lists(fine_suspensions(), max_size=3).map(tuple),
    due_on=DAYS,
    until=DAYS,
)

quick = settings(max_examples=100, deadline=None)


def day_by_day(c: Case) -> tuple[date | None, list[tuple[date, str, int]]]:
    """The rules word for word, one day after another."""

    def closed(on: date) -> bool:
        return on.isoweekday() in c.calendar.weekly_closed or any(
            x.starts_on <= on and (x.reopened_on is None or on < x.reopened_on)
            for x in c.calendar.closures
        )

    due = c.due_on
    while closed(due):
        due += DAY
        if due.year > 2022:
            return None, []
    counted: list[tuple[date, str]] = []
    for on in (due + n * DAY for n in range(1, (c.until - due).days + 1)):
        if any(
            s.starts_on <= on and (s.resumes_on is None or on < s.resumes_on) for s in c.suspensions
        ):
            counted.append((on, "suspended"))
        elif closed(on) and not c.policy.count_closed_days:
            counted.append((on, "closed"))
        else:
            counted.append((on, "chargeable"))
    chargeable = sum(disposition == "chargeable" for _, disposition in counted)
    owed = 0
    priced: list[tuple[date, str, int]] = []
    for on, disposition in counted:
        rate, cap = c.policy.fine_per_day_cents, c.policy.fine_cap_cents
        if disposition != "chargeable":
            priced.append((on, disposition, 0))
        elif chargeable <= c.policy.grace_days:
            priced.append((on, "grace", 0))
        elif rate and cap is not None and owed >= cap:
            priced.append((on, "capped", 0))
        else:
            cents = rate if cap is None else min(rate, cap - owed)
            owed += cents
            priced.append((on, "charged", cents))
    return due, priced


@quick
@given(CASES)
def test_spans_are_the_days_one_by_one(c: Case) -> None:
    due, days = day_by_day(c)
    runs: list[tuple[date, date, str, int]] = []
    for on, disposition, cents in days:
        if runs and runs[-1][2] == disposition:
            runs[-1] = (runs[-1][0], on, disposition, runs[-1][3] + cents)
        else:
            runs.append((on, on, disposition, cents))
    fine = c.fine()
    assert fine.due_on == due
    assert [(s.from_, s.to, s.disposition, s.amount_cents) for s in fine.spans] == runs
    assert fine.charged_days == sum(disposition == "charged" for _, disposition, _ in days)
    assert fine.amount_cents == sum(cents for *_, cents in days)


@quick
@given(CASES)
def test_spans_cover_the_overdue_days_without_gap_or_overlap(c: Case) -> None:
    fine = c.fine()
    overdue = max((c.until - fine.due_on).days, 0) if fine.due_on else 0
    assert sum(s.days for s in fine.spans) == overdue
    for before, after in zip(fine.spans, fine.spans[1:], strict=False):
        assert after.from_ == before.to + DAY
        assert after.disposition != before.disposition
    assert all(s.causes for s in fine.spans)


@quick
@given(CASES)
def test_a_fine_is_never_negative_nor_above_the_cap(c: Case) -> None:
    fine = c.fine()
    cap = c.policy.fine_cap_cents
    assert 0 <= fine.amount_cents <= (fine.amount_cents if cap is None else cap)
    assert all(s.amount_cents >= 0 for s in fine.spans)


@quick
@given(CASES)
def test_suspended_days_are_never_charged(c: Case) -> None:
    for s in c.fine().spans:
        if s.disposition is not Disposition.SUSPENDED:
            assert all(
                x.last < s.from_ or x.first > s.to or x.last < x.first for x in c.suspensions
            )


@quick
@given(CASES, closures())
def test_closing_a_branch_never_raises_a_fine(c: Case, added: Closure) -> None:
    more = c.with_closures([*c.calendar.closures, added]).fine()
    assert more.amount_cents <= c.fine().amount_cents
    assert more.charged_days <= c.fine().charged_days


@quick
@given(CASES, fine_suspensions())
def test_suspending_fines_never_raises_a_fine(c: Case, added: FineSuspension) -> None:
    more = replace(c, suspensions=(*c.suspensions, added)).fine()
    assert more.amount_cents <= c.fine().amount_cents
    assert more.charged_days <= c.fine().charged_days


@quick
@given(CASES, closures(), fine_suspensions(), DAYS)
def test_splitting_a_closure_or_suspension_in_two_changes_nothing(
    c: Case, whole: Closure, free: FineSuspension, at: date
) -> None:
    first, second = replace(whole, reopened_on=at), replace(whole, id="d", starts_on=at)
    before, after = replace(free, resumes_on=at), replace(free, id="w", starts_on=at)
    if not whole.first <= at <= whole.last:
        first, second = whole, whole
    if not free.first <= at <= free.last:
        before, after = free, free
    one = replace(c, suspensions=(*c.suspensions, free)).with_closures(
        [*c.calendar.closures, whole]
    )
    two = replace(c, suspensions=(*c.suspensions, before, after)).with_closures(
        [*c.calendar.closures, first, second]
    )
    assert spans(two.fine()) == spans(one.fine())
    assert two.fine().due_on == one.fine().due_on


@quick
@given(CASES)
def test_a_stored_statement_is_read_back_as_it_was(c: Case) -> None:
    fine = c.fine()
    assert from_document(json.loads(json.dumps(as_document(fine)))) == fine
