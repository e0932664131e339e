"""Terms that few rows set: each example of docs/policies.md, and the words in a statement."""

from dataclasses import fields
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from services.circulation.policies import store as policies_store
from services.circulation.rules.calendar import Calendar, Closure
from services.circulation.rules.fines import Late, Statement, statement
from services.circulation.rules.policy import Policy
from services.circulation.rules.suspension import FineSuspension
from services.circulation.rules.terms import FineTier, OptionalTerms
from shared.mongo import from_document, to_document

DOCUMENT = Path(__file__).parents[3] / "docs" / "policies.md"
DUE = date(2021, 3, 1)


def fine(
    days: int,
    *,
    closures: tuple[Closure, ...] = (),
    suspensions: tuple[FineSuspension, ...] = (),
    late: Late | None = None,
    **terms: Any,
) -> Statement:
    """Return the fine of a loan that is due on 1 March and so many days late."""
    return statement(
        due_on=DUE,
        until=date(2021, 3, 1 + days),
        policy=Policy(id="default", **terms),
        calendar=Calendar("HKCL", "central", frozenset(), closures),
        suspensions=suspensions,
        late=late,
    )


def spans(found: Statement) -> list[tuple[int, str, int]]:
    return [(span.days, span.disposition.value, span.amount_cents) for span in found.spans]


WEEKLY: dict[str, Any] = {"charge_unit": "week", "fine_per_day_cents": 500}
TIERS: dict[str, Any] = {"fine_per_day_cents": 50, "fine_tiers": (FineTier(8, 100),)}
MINUTES: dict[str, Any] = {"charge_unit": "hour", "fine_per_day_cents": 100}
"""$1.00 for each hour."""

EXAMPLES = {
    "a week begins with its first day": (fine(1, **WEEKLY), 500),
    "the eighth day begins the second week": (fine(8, **WEEKLY), 1_000),
    "completed weeks alone": (fine(8, charge_completed=True, **WEEKLY), 500),
    "no completed week": (fine(6, charge_completed=True, **WEEKLY), 0),
    "every three days": (fine(7, charge_every=3, fine_per_day_cents=200), 600),
    "another rate from the eighth day on": (fine(10, **TIERS), 650),
    "the first seven days at the first rate": (fine(7, **TIERS), 350),
    "three tiers": (
        fine(6, fine_per_day_cents=10, fine_tiers=(FineTier(2, 20), FineTier(5, 100))),
        10 + 3 * 20 + 2 * 100,
    ),
    "a rate that ends": (fine(9, fine_tiers=(FineTier(3, 0),)), 300),
    "days of grace that never cost": (fine(4, grace_days=3, grace_forgiven=True), 150),
    "as late as the forgiven days": (fine(3, grace_days=3, grace_forgiven=True), 0),
    "below the minimum": (fine(1, fine_minimum_cents=200), 0),
    "at the minimum": (fine(2, fine_minimum_cents=300), 300),
    "a cap below the minimum": (fine(2, fine_minimum_cents=300, fine_cap_cents=200), 0),
    "three hours": (fine(0, late=Late(900, 1_080), **MINUTES), 300),
    "a started hour": (fine(0, late=Late(900, 901), **MINUTES), 100),
    "a completed hour": (fine(0, late=Late(900, 959), charge_completed=True, **MINUTES), 0),
    "back on the minute it is due": (fine(0, late=Late(900, 900), **MINUTES), 0),
    "overnight": (fine(1, late=Late(1_200, 540), **MINUTES), (4 + 9) * 100),
    "minutes of grace": (fine(0, late=Late(900, 908), grace_minutes=10, **MINUTES), 0),
    "past the minutes of grace": (fine(0, late=Late(900, 911), grace_minutes=10, **MINUTES), 100),
    "hours of a loan by days": (fine(2, **MINUTES), 4_800),
    "days of a loan by hours": (fine(1, late=Late(900, 901), charge_unit="day"), 300),
}


@pytest.mark.parametrize(("found", "cents"), EXAMPLES.values(), ids=EXAMPLES.keys())
def test_each_term_gives_the_fine_of_its_example(found: Statement, cents: int) -> None:
    assert found.amount_cents == cents
    assert found.amount_cents == sum(span.amount_cents for span in found.spans)


def test_periods_count_chargeable_days_only() -> None:
    closed = Closure("c1", date(2021, 3, 4), date(2021, 3, 9))
    found = fine(12, closures=(closed,), **WEEKLY)
    assert spans(found) == [(2, "charged", 500), (5, "closed", 0), (5, "charged", 0)]
    assert spans(fine(13, closures=(closed,), **WEEKLY))[-1] == (6, "charged", 500)


def test_hours_of_closed_and_suspended_days_are_free() -> None:
    closed = Closure("c1", date(2021, 3, 2), date(2021, 3, 3))
    free = FineSuspension("s1", date(2021, 3, 3), date(2021, 3, 4))
    found = fine(3, closures=(closed,), suspensions=(free,), late=Late(1_380, 60), **MINUTES)
    assert spans(found) == [
        (1, "charged", 100),
        (1, "closed", 0),
        (1, "suspended", 0),
        (1, "charged", 100),
    ]


def test_a_loan_by_hours_that_is_due_on_a_closed_day_is_due_at_that_time_of_the_next_open_day() -> (
    None
):
    closed = Closure("c1", DUE, date(2021, 3, 3))
    found = fine(2, closures=(closed,), late=Late(900, 961), **MINUTES)
    assert (found.due_on, spans(found)) == (date(2021, 3, 3), [(1, "charged", 200)])


def test_the_days_of_forgiven_grace_are_in_a_span_of_their_own() -> None:
    found = fine(5, grace_days=2, grace_forgiven=True, fine_cap_cents=200)
    assert spans(found) == [(2, "grace", 0), (2, "charged", 200), (1, "capped", 0)]


WORDS: dict[str, dict[str, Any]] = {
    "$1.50 a day, at most $130.00": {},
    "$1.50 a day, at most $130.00, 3 days of grace": {"grace_days": 3},
    "$5.00 for each started week, at most $130.00": WEEKLY,
    "$1.50 for each completed 3 days, at most $130.00": {
        "charge_every": 3,
        "charge_completed": True,
    },
    "$0.50 a day, $1.00 from day 8": {**TIERS, "fine_cap_cents": None},
    "$5.00 for each started week, $1.00 from period 2": {
        **WEEKLY,
        "fine_tiers": (FineTier(2, 100),),
        "fine_cap_cents": None,
    },
    "$1.50 a day, 3 days of grace that never cost, nothing below $2.00": {
        "grace_days": 3,
        "grace_forgiven": True,
        "fine_minimum_cents": 200,
        "fine_cap_cents": None,
    },
}


@pytest.mark.parametrize(("words", "terms"), WORDS.items())
def test_a_statement_names_the_terms(words: str, terms: dict[str, Any]) -> None:
    assert Policy(id="default", **terms).cause.reason == words


def test_the_price_and_unpaid_fines_lower_the_cap() -> None:
    row = Policy(id="default", fine_cap_at_price=True, patron_fine_cap_cents=2_000)
    assert row.at_price(4_500).fine_cap_cents == 4_500
    assert row.at_price(20_000) is row
    assert row.at_price(None) is row
    assert row.with_unpaid(1_850).fine_cap_cents == 150
    assert row.with_unpaid(2_500).fine_cap_cents == 0
    assert Policy(id="default").with_unpaid(10**9) == Policy(id="default")


def test_a_row_is_stored_without_the_terms_that_have_their_defaults() -> None:
    seldom = {field.name for field in fields(OptionalTerms)}
    assert policies_store.INDEXES  # names the fields to leave out
    plain, special = Policy(id="default"), Policy(id="weekly", charge_unit="week", **TIERS)
    assert not seldom & to_document(plain).keys()
    assert seldom & to_document(special).keys() == {"charge_unit", "fine_tiers"}
    assert from_document(Policy, to_document(special)) == special


def test_every_term_is_in_the_document() -> None:
    scope = {"id", "version", "patron_category", "copy_category", "branch_kind"}
    written = DOCUMENT.read_text()
    missing = [field.name for field in fields(Policy) if f"`{field.name}`" not in written]
    assert set(missing) <= scope
