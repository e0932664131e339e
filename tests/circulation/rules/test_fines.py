"""Fines by the library's policy, and invariants of every fine."""

import json
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from services.circulation.rules.calendar import Calendar, Closure
from services.circulation.rules.fines import Statement, as_document, statement
from services.circulation.rules.policy import Policy
from services.circulation.rules.suspension import FineSuspension

PUBLISHED: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "data" / "fine-cases.json").read_text()
)["cases"]


def day(text: str) -> date:
    return date.fromisoformat(text)


def closure(first: str, reopened: str | None, id: str = "c1") -> Closure:  # noqa: A002 - its field
    return Closure(id, day(first), day(reopened) if reopened else None, "epidemic", version=3)


def suspension(starts: str, resumes: str | None, id: str = "s1") -> FineSuspension:  # noqa: A002 - its field
    return FineSuspension(
        id, day(starts), day(resumes) if resumes else None, reason="relief", version=2
    )


def fine(
    due_on: str,
    until: str,
    *,
    closures: Iterable[Closure] = (),
    suspensions: Iterable[FineSuspension] = (),
    weekly_closed: Iterable[int] = (),
    **terms: Any,
) -> Statement:
    return statement(
        due_on=day(due_on),
        until=day(until),
        policy=Policy(id="default", **terms),
        calendar=Calendar("HKCL", "central", frozenset(weekly_closed), tuple(closures), version=4),
        suspensions=suspensions,
    )


def published(written: dict[str, Any]) -> Statement:
    terms = dict(written["policy"])
    return fine(
        written["due_on"],
        written["returned_on"],
        closures=[closure(c["from"], c["reopened_on"]) for c in written["calendar"]["closures"]],
        suspensions=[suspension(s["starts_on"], s["resumes_on"]) for s in written["suspensions"]],
        weekly_closed=written["calendar"]["weekly_closed"],
        fine_cap_cents=terms.pop("cap_cents"),
        **terms,
    )


def spans(found: Statement) -> list[tuple[str, str, int, str, int]]:
    return [
        (str(s.from_), str(s.to), s.days, s.disposition.value, s.amount_cents) for s in found.spans
    ]


# ---- the table ----------------------------------------------------------------------------------


@pytest.mark.parametrize("written", PUBLISHED, ids=[c["name"] for c in PUBLISHED])
def test_every_published_case_gives_the_exact_fine(written: dict[str, Any]) -> None:
    document = as_document(published(written))
    for span in document["spans"]:
        assert span.pop("cause")
    assert document == written["expect"]


def test_all_54_published_cases_are_in_the_table() -> None:
    assert len(PUBLISHED) == 54


# ---- policy -------------------------------------------------------------------------------------

MAY_1, MAY_5 = "2021-05-01", "2021-05-05"

RULES = {
    "a loan back on its due date owes nothing": (fine(MAY_1, MAY_1), 0),
    "a loan back before its due date owes nothing": (fine(MAY_5, MAY_1), 0),
    "each day late costs the day's rate": (fine(MAY_1, MAY_5), 600),
    "a children's item costs its own rate": (fine(MAY_1, MAY_5, fine_per_day_cents=50), 200),
    "a day the branch is closed is free": (
        fine(MAY_1, MAY_5, closures=[closure("2021-05-03", "2021-05-04")]),
        450,
    ),
    "a closed day counts where the policy says so": (
        fine(MAY_1, MAY_5, closures=[closure("2021-05-03", "2021-05-04")], count_closed_days=True),
        600,
    ),
    "closed on the due date, due on reopening, even where closed days count": (
        fine(MAY_1, MAY_5, closures=[closure(MAY_1, "2021-05-04")], count_closed_days=True),
        150,
    ),
    "closed on the due date and returned before reopening: nothing": (
        fine(MAY_1, "2021-05-03", closures=[closure(MAY_1, "2021-05-04")]),
        0,
    ),
    "closing for good after the due date leaves the days before it": (
        fine(MAY_1, "2021-12-31", closures=[closure("2021-05-04", None)]),
        300,
    ),
    "days before a suspension stay chargeable": (
        fine(MAY_1, MAY_5, suspensions=[suspension("2021-05-03", None)]),
        150,
    ),
    "a suspension that ends with the first day late frees that day": (
        fine(MAY_1, MAY_5, suspensions=[suspension("2021-04-01", "2021-05-03")]),
        450,
    ),
    "the day fines resume is charged": (
        fine(MAY_1, MAY_5, suspensions=[suspension("2021-05-02", MAY_5)]),
        150,
    ),
    "a suspension frees closed days that the policy counts": (
        fine(
            MAY_1,
            MAY_5,
            closures=[closure("2021-05-03", "2021-05-05")],
            suspensions=[suspension("2021-05-03", "2021-05-05")],
            count_closed_days=True,
        ),
        300,
    ),
    "suspended and closed days use up no grace": (
        fine(
            MAY_1,
            "2021-05-10",
            closures=[closure("2021-05-02", "2021-05-05")],
            suspensions=[suspension("2021-05-05", "2021-05-08")],
            grace_days=3,
        ),
        0,
    ),
    "the first day past grace charges them all": (fine(MAY_1, MAY_5, grace_days=3), 600),
    "a rate of nothing charges nothing": (fine(MAY_1, MAY_5, fine_per_day_cents=0), 0),
    "without a cap a fine goes on": (fine(MAY_1, "2031-05-01", fine_cap_cents=None), 3652 * 150),
    # the same situations are in the tests of Koha (noFinesWhenClosed, cap at replacement price)
    # and Evergreen (grace over closed days); the amounts are worked out by our rules
    "Koha: closed on the middle of three days, two count": (
        fine("2021-05-03", "2021-05-06", weekly_closed=[3], fine_per_day_cents=100),
        200,
    ),
    "Koha: the same with closed days counted": (
        fine(
            "2021-05-03",
            "2021-05-06",
            weekly_closed=[3],
            fine_per_day_cents=100,
            count_closed_days=True,
        ),
        300,
    ),
    "Koha: never more than the replacement price": (
        fine(MAY_1, "2021-05-31", fine_per_day_cents=100, fine_cap_cents=500),
        500,
    ),
    "Evergreen: a weekend closed within grace is not late": (
        fine("2021-05-07", "2021-05-11", weekly_closed=[6, 7], grace_days=2),
        0,
    ),
}


@pytest.mark.parametrize(("found", "cents"), RULES.values(), ids=RULES.keys())
def test_a_fine_has_the_amount_that_the_policy_gives(found: Statement, cents: int) -> None:
    assert found.amount_cents == cents


def test_a_loan_is_never_overdue_while_no_reopening_is_announced() -> None:
    found = fine(MAY_1, "2031-01-01", closures=[closure("2021-04-01", None)])
    assert found == Statement(due_on=None, charged_days=0, amount_cents=0, spans=())


def test_a_branch_closed_all_week_never_makes_a_loan_overdue() -> None:
    assert fine(MAY_1, "2031-01-01", weekly_closed=range(1, 8)).due_on is None


def test_the_day_that_reaches_the_cap_is_charged_the_rest_and_later_days_are_capped() -> None:
    found = fine(MAY_1, "2021-05-08", fine_cap_cents=400)
    assert spans(found) == [
        ("2021-05-02", "2021-05-04", 3, "charged", 400),
        ("2021-05-05", "2021-05-08", 4, "capped", 0),
    ]


def test_days_at_a_rate_of_zero_are_charged_zero_whatever_the_cap() -> None:
    found = fine(MAY_1, MAY_5, fine_per_day_cents=0, fine_cap_cents=0)
    assert spans(found) == [("2021-05-02", "2021-05-05", 4, "charged", 0)]
    assert found.charged_days == 4


def test_a_span_names_its_cause() -> None:
    found = fine(
        MAY_1,
        "2021-05-12",
        closures=[closure("2021-05-04", "2021-05-06")],
        suspensions=[suspension("2021-05-09", "2021-05-11")],
        weekly_closed=[5],
    )
    assert [(s.disposition.value, s.days, *map(str, s.causes)) for s in found.spans] == [
        ("charged", 2, "policy default (version 1): $1.50 a day, at most $130.00"),
        ("closed", 2, "closure c1 (version 3): epidemic"),
        ("charged", 1, "policy default (version 1): $1.50 a day, at most $130.00"),
        ("closed", 1, "weekly-closing HKCL (version 4): closed every Friday"),
        ("charged", 1, "policy default (version 1): $1.50 a day, at most $130.00"),
        ("suspended", 2, "suspension s1 (version 2): relief"),
        ("charged", 2, "policy default (version 1): $1.50 a day, at most $130.00"),
    ]


def test_consecutive_closures_give_one_span_that_names_each_cause() -> None:
    (span,) = fine(
        MAY_1,
        "2021-05-07",
        closures=[
            closure("2021-05-02", "2021-05-05", "typhoon"),
            closure("2021-05-04", "2021-05-07", "epidemic"),
        ],
        weekly_closed=[5],
    ).spans
    assert [cause.id for cause in span.causes] == ["typhoon", "epidemic", "HKCL"]


def test_the_cause_of_a_weekly_closing_day_within_a_closure_is_the_closure() -> None:
    (span,) = fine(
        MAY_1, "2021-05-10", closures=[closure("2021-05-02", None)], weekly_closed=[5]
    ).spans
    assert [cause.id for cause in span.causes] == ["c1"]


def test_a_loan_overdue_for_centuries_has_few_spans() -> None:
    found = fine("1950-05-01", "2950-05-01", closures=[closure("1960-01-01", "2900-01-01")])
    assert [s.disposition.value for s in found.spans] == ["charged", "capped", "closed", "capped"]
