"""`carrel policies` lists, sets and deletes rows in the database, and keeps every version."""

import json
from pathlib import Path

import pytest

from services.circulation.settings import Settings
from tests.ops.command import Ran, carrel


@pytest.fixture
def settings(mongo_url: str, database: str) -> Settings:
    return Settings(mongo_url=mongo_url, database_prefix=database)


async def policies(settings: Settings, *arguments: str) -> Ran:
    return await carrel(settings, "policies", *arguments)


async def test_a_row_is_amended_field_by_field_and_its_versions_are_listed(
    settings: Settings, tmp_path: Path
) -> None:
    why = ("--reason", "the budget of 2022")
    assert (await policies(settings, "set", "default", "loan_days=21", *why)).code == 0
    capless = await policies(settings, "set", "default", "fine_cap_cents=null", *why, "--json")
    assert (capless.json()["version"], capless.json()["loan_days"]) == (3, 21)
    whole = tmp_path / "atlas.json"
    whole.write_text(json.dumps({"copy_category": "atlas", "max_loans": 2}))
    assert (await policies(settings, "set", "atlas", "--file", str(whole), *why)).code == 0

    listed = (await policies(settings, "list", "--json")).json()["policies"]
    assert [(row["id"], row["version"]) for row in listed] == [
        ("atlas", 1),
        ("children", 1),
        ("default", 3),
        ("young-adult", 1),
    ]
    assert "atlas" in (await policies(settings, "list")).out
    changes = (await policies(settings, "history", "default", "--json")).json()["changes"]
    assert [(c["version"], c["row"]["loan_days"]) for c in changes] == [(1, 14), (2, 21), (3, 21)]
    assert changes[1]["reason"] == "the budget of 2022"
    assert changes[1]["by"].startswith("carrel: ")

    assert (await policies(settings, "delete", "atlas", *why)).code == 0
    assert "(deleted)" in (await policies(settings, "history", "atlas")).out


async def test_a_bad_row_is_refused_with_the_reason_for_each_field(settings: Settings) -> None:
    bad = await policies(
        settings, "set", "default", "loan_days=0", "fine_cap_cents=much", "--reason", "try"
    )
    assert bad.code == 1
    assert "loan_days: " in bad.err
    assert "fine_cap_cents: " in bad.err
    doubled = await policies(settings, "set", "two", "copy_category=children", "--reason", "try")
    assert (doubled.code, "children" in doubled.err) == (1, True)
    assert (await policies(settings, "delete", "default", "--reason", "try")).code == 1
    assert (await policies(settings, "history", "none")).code == 1
    assert (await policies(settings, "set", "default", "--reason", "try")).code == 2
    assert (await policies(settings, "list", "--json")).json()["policies"][1]["version"] == 1


async def test_terms_of_a_row_stay_when_another_is_set(settings: Settings) -> None:
    why = ("--reason", "fines in tiers")
    tiers = 'fine_tiers=[{"from_period": 8, "cents": 100}]'
    assert (await policies(settings, "set", "default", tiers, "charge_unit=week", *why)).code == 0
    later = await policies(settings, "set", "default", "loan_days=21", *why, "--json")
    assert later.json()["fine_tiers"] == [{"from_period": 8, "cents": 100}]
    assert later.json()["charge_unit"] == "week"
    assert "charge_unit=week" in (await policies(settings, "history", "default")).out
