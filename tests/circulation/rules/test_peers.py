"""Figures of other libraries' systems, from their public test suites, applied to our rules.

`tests/data/peers-policies.json` has each with its source: due dates and times, fines in cents, and
rows that are refused. Its second part lists those that our terms cannot express, with the reason.
Times are the library's. The lines of Evergreen are worked out from its code, which has no test of
them.
"""

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from services.circulation.policies.routes import Terms
from services.circulation.rules.calendar import DAY, Calendar, Closure, Week
from services.circulation.rules.fines import Late, statement
from services.circulation.rules.loan_period import Due, LocalTime, first_due, renewed_due
from services.circulation.rules.policy import Policy

FIGURES: dict[str, list[dict[str, Any]]] = json.loads(
    (Path(__file__).parents[2] / "data" / "peers-policies.json").read_text()
)
LINES, NOT_EXPRESSED = FIGURES["lines"], FIGURES["not_expressed"]


def moment(text: str) -> Due:
    """Return a day, or a time of a day."""
    at = datetime.fromisoformat(text).replace(tzinfo=UTC)
    if "T" not in text:
        return Due(at.date())
    return Due(at.date(), LocalTime(at, at.hour * 60 + at.minute))


def calendar(line: dict[str, Any]) -> Calendar:
    closures = [
        Closure(f"c{number}", date.fromisoformat(first), date.fromisoformat(last) + DAY)
        for number, (first, last) in enumerate(line.get("closed", ()))
    ]
    weeks = [Week(date.fromisoformat(on), frozenset(shut)) for on, shut in line.get("weeks", ())]
    weekly = frozenset(line.get("weekly", ()))
    return Calendar("B", "district", weekly, tuple(closures), weeks=tuple(weeks))


def row(line: dict[str, Any]) -> Policy | None:
    """Return the policy row, as the interface makes it; None if it refuses the terms."""
    try:
        return Terms.model_validate(line["terms"]).row("peer").at_price(line.get("price"))
    except ValidationError:
        return None


def found(line: dict[str, Any]) -> Due | int | None:
    policy = row(line)
    if policy is None:
        return None
    if line["kind"] == "due":
        return first_due(policy, calendar(line), moment(line["lent"]))
    if line["kind"] == "renewal":
        present, on = moment(line["due_before"]), moment(line["renewed"])
        return renewed_due(policy, calendar(line), present, on)
    due, back = moment(line["due"]), moment(line["back"])
    late = Late(due.time.minute, back.time.minute) if due.time and back.time else None
    return statement(
        due_on=due.on,
        until=back.on,
        policy=policy,
        calendar=calendar(line),
        suspensions=(),
        late=late,
    ).amount_cents


@pytest.mark.parametrize("line", LINES, ids=[line["source"] for line in LINES])
def test_each_figure_of_another_system_is_ours(line: dict[str, Any]) -> None:
    expected = line["cents"] if line["kind"] == "fine" else line["due"] and moment(line["due"])
    assert found(line) == expected


def test_each_line_has_a_source_of_its_own_and_a_reason_if_it_is_not_expressed() -> None:
    sources = [line["source"] for line in (*LINES, *NOT_EXPRESSED)]
    assert len(set(sources)) == len(sources)
    assert len(LINES) >= 100
    assert all(line["figure"] and line["reason"] for line in NOT_EXPRESSED)
