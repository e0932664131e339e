"""`carrel fines explain` as a librarian or a script uses it."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ops.commands.fines import app

PUBLISHED = Path(__file__).parents[1] / "data" / "fine-cases.json"
CASES: list[dict[str, Any]] = json.loads(PUBLISHED.read_text())["cases"]
CASE = {field: value for field, value in CASES[3].items() if field != "expect"}

runner = CliRunner(env={"COLUMNS": "80", "NO_COLOR": "1"})


def explained(document: object, *options: str) -> Any:
    result = runner.invoke(app, ["explain", "-", *options], input=json.dumps(document))
    assert result.exit_code == 0, result.stderr
    return result.stdout


def refusal(text: str) -> str:
    result = runner.invoke(app, ["explain", "-", "--json"], input=text)
    assert (result.exit_code, result.stdout) == (1, "")
    return result.stderr


def altered(**fields: object) -> str:
    return json.dumps({**CASE, **fields})


def test_a_table_gives_a_list_in_its_order() -> None:
    result = runner.invoke(app, ["explain", str(PUBLISHED), "--json"])
    statements = json.loads(result.stdout)
    for statement in statements:
        for span in statement["spans"]:
            assert span.pop("cause").keys() >= {"kind", "id", "version", "reason"}
    assert statements == [case["expect"] for case in CASES]


def test_a_bare_case_gives_one_statement() -> None:
    statement = json.loads(explained(CASE, "--json"))
    assert set(statement) == {"due_on", "charged_days", "amount_cents", "spans"}
    assert statement["amount_cents"] == 1350
    assert statement["spans"][1]["cause"] == {
        "kind": "suspension",
        "id": "suspensions[0]",
        "version": 1,
        "reason": "suspended until 2021-03-05",
    }


def test_a_case_takes_terms_that_few_rows_set() -> None:
    hours = {
        **CASE,
        "policy": {
            **CASE["policy"],
            "charge_unit": "hour",
            "fine_tiers": [{"from_period": 3, "cents": 300}],
            "fine_cap_at_price": True,
            "patron_fine_cap_cents": 1_000,
            "grace_minutes": 5,
        },
        "calendar": {"weekly_closed": [], "closures": []},
        "suspensions": [],
        "due_on": "2021-03-01",
        "returned_on": "2021-03-01",
        "due_time": "15:00",
        "returned_time": "17:30",
        "price_cents": 20_000,
        "unpaid_fines_cents": 250,
    }
    assert json.loads(explained(hours, "--json"))["amount_cents"] == 150 + 150 + 300
    assert json.loads(explained({**hours, "price_cents": 500}, "--json"))["amount_cents"] == 500
    assert "from period 3, at most $7.50" in " ".join(explained(hours).split())
    faulty = altered(due_time="5 pm")
    assert "due_time: should be a time of day, written as 17:30" in refusal(faulty)


def test_the_output_shows_the_amount_a_strip_of_days_and_the_reasons() -> None:
    text = explained(CASE)
    assert "Owed: $13.50 for 9 days." in text
    assert "2021-03  ssss$$$$" in text
    assert "suspended until 2021-03-05" in text
    assert max(map(len, text.splitlines())) <= 80


def test_the_output_says_if_nothing_is_overdue_or_the_due_date_moved() -> None:
    text = explained({"cases": [CASES[0], CASES[13]]})
    assert "it counts as due 2021-02-19" in text
    assert "no reopening announced: the loan is not overdue" in text


def test_a_strip_of_decades_is_cut_short() -> None:
    text = explained({**CASE, "returned_on": "2070-12-31"})
    assert "and on to 2070-12-31: see the table" in text
    assert len(text.splitlines()) < 50


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "is not JSON"),
        ("[]", "the document: Input should be an object"),
        (altered(due_on="20201204"), "due_on: should be a day"),
        (altered(due_on="2020-02-30"), "due_on: should be a day"),
        (altered(returned_on=None), "returned_on: should be a day"),
        (altered(fines=1), "fines: is not a field"),
        (
            altered(suspensions=[{"starts_on": "2021-01-01"}]),
            "suspensions[0].resumes_on: is missing",
        ),
        (
            altered(suspensions=[{"starts_on": "2021-01-02", "resumes_on": "2021-01-01"}]),
            "suspensions[0]: resumes_on is before starts_on",
        ),
        (
            altered(calendar={"weekly_closed": [0], "closures": []}),
            "calendar.weekly_closed[0]: Input should be greater than or equal to 1",
        ),
        (
            altered(
                calendar={
                    "weekly_closed": [],
                    "closures": [{"from": "2021-01-02", "reopened_on": "2021-01-01"}],
                }
            ),
            "calendar.closures[0]: reopened_on is before from",
        ),
        (
            altered(policy={**CASE["policy"], "grace_days": True}),
            "policy.grace_days: Input should be",
        ),
        (altered(policy={**CASE["policy"], "cap_cents": 1.0}), "policy.cap_cents: Input should be"),
        (
            altered(policy={**CASE["policy"], "fine_per_day_cents": -1}),
            "policy.fine_per_day_cents: Input should be",
        ),
        (
            json.dumps({"cases": []}),
            "cases: is empty",
        ),
        (
            json.dumps({"cases": [CASE, {**CASE, "name": "late", "due_on": 3}]}),
            "cases[1] (late): due_on: should be a day",
        ),
    ],
)
def test_a_bad_case_is_refused_by_field(text: str, says: str) -> None:
    assert says in refusal(text)


def test_a_file_that_is_not_there_is_refused() -> None:
    result = runner.invoke(app, ["explain", "no-such-file.json"])
    assert result.exit_code == 1
    assert "no-such-file.json: cannot be read" in result.stderr


def test_wrong_usage_exits_with_2() -> None:
    assert runner.invoke(app, ["explain"]).exit_code == 2
