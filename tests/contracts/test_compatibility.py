"""Event schemas stay as released, and the check finds a change that breaks a reader."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from ops.commands.contracts import (
    FOLDER,
    breaking,
    kept_in,
    last_release,
    lost_examples,
    released_in,
)
from ops.commands.contracts import export as write
from shared.contracts import contract_name, published

Change = Callable[[dict[str, Any]], object]


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """The current schemas, in a folder that a test may change."""
    write(tmp_path)
    return tmp_path


def change(folder: Path, topic: str, how: Change) -> None:
    file = folder / f"{contract_name(topic)}.json"
    schema = orjson.loads(file.read_bytes())
    how(schema)
    file.write_bytes(orjson.dumps(schema))


def test_every_event_has_its_schema_in_the_repository() -> None:
    assert {file.name for file in FOLDER.glob("*.json")} == {
        f"{contract_name(t)}.json" for t in published()
    }
    assert breaking(kept_in(FOLDER)) == []


def test_a_new_optional_field_is_compatible(kept: Path) -> None:
    change(kept, "loan.overdue", lambda schema: schema["properties"].pop("returned_on"))
    assert breaking(kept_in(kept)) == []


@pytest.mark.parametrize(
    ("how", "says"),
    [
        pytest.param(
            lambda schema: schema["properties"].update(colour={"type": "string"}),
            "payload.colour is gone",
            id="a field that readers use is gone",
        ),
        pytest.param(
            lambda schema: schema["properties"].update(renewals={"type": "string"}),
            "payload.renewals has another schema",
            id="a field has another type",
        ),
        pytest.param(
            lambda schema: schema["required"].remove("due_on"),
            "payload.due_on is required now",
            id="a field is required that old events lack",
        ),
        pytest.param(
            lambda schema: schema["required"].append("returned_on"),
            "payload.returned_on may be missing now",
            id="a field may be missing that readers count on",
        ),
        pytest.param(
            lambda schema: schema.update({"x-key": "loan_id"}),
            "x-key was loan_id and is patron_id",
            id="events fall into other partitions",
        ),
        pytest.param(
            lambda schema: schema.update({"x-subject": "copy_id"}),
            "x-subject was copy_id and is loan_id",
            id="events are about another resource",
        ),
        pytest.param(
            lambda schema: schema.update({"x-publisher": "notices"}),
            "x-publisher was notices and is circulation",
            id="another service publishes it",
        ),
        pytest.param(
            lambda schema: schema.update(additionalProperties=False),
            "payload has another rule for additional properties",
            id="unknown fields are treated in another way",
        ),
    ],
)
def test_a_breaking_change_is_reported(kept: Path, how: Change, says: str) -> None:
    change(kept, "loan.overdue", how)
    assert breaking(kept_in(kept)) == [f"loan.overdue: {says}"]


def git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=Tests", "-c", "user.email=tests@example.org"]
    command = ["git", *who, *arguments]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def checked(folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "ops", "contracts", "check", "--folder", str(folder)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_contract_check_compares_with_the_last_release_despite_changes_in_the_working_tree(
    kept: Path,
) -> None:
    git(kept, "init", "--quiet")
    assert last_release(kept) is None
    change(kept, "loan.overdue", lambda schema: schema.update({"x-key": "loan_id"}))
    git(kept, "add", ".")
    git(kept, "commit", "--quiet", "--message", "Release")
    git(kept, "tag", "v1.0.0")
    change(kept, "loan.overdue", lambda schema: schema.update({"x-key": "patron_id"}))
    assert breaking(kept_in(kept)) == []
    ran = checked(kept)
    assert ran.returncode == 1
    assert "Compared with release v1.0.0." in ran.stderr
    assert "loan.overdue: x-key was loan_id and is patron_id" in ran.stderr


def test_the_check_says_which_release_it_compared_with(kept: Path) -> None:
    git(kept, "init", "--quiet")
    assert "(no release is tagged yet)" in checked(kept).stdout
    git(kept, "add", ".")
    git(kept, "commit", "--quiet", "--message", "Release")
    git(kept, "tag", "v1.0.0")
    assert set(released_in(kept, "v1.0.0")) == set(published())
    assert "and with release v1.0.0." in checked(kept).stdout


def test_removing_a_topic_is_reported(kept: Path) -> None:
    (kept / "loan.forgotten.v2.json").write_bytes(b"{}")
    assert breaking(kept_in(kept)) == ["loan.forgotten.v2: is no longer published"]


def test_adding_a_bound_is_compatible(kept: Path) -> None:
    change(kept, "loan.overdue", lambda schema: schema["properties"]["loan_id"].pop("pattern"))
    assert breaking(kept_in(kept)) == []


def test_changing_or_removing_a_bound_is_reported(kept: Path) -> None:
    change(kept, "loan.overdue", lambda schema: schema["properties"]["renewals"].update(maximum=7))
    assert breaking(kept_in(kept)) == ["loan.overdue: payload.renewals has another schema"]
    change(kept, "loan.overdue", lambda schema: schema["properties"]["renewals"].pop("maximum"))
    change(kept, "loan.overdue", lambda schema: schema["properties"]["state"].update(pattern="x"))
    assert breaking(kept_in(kept)) == ["loan.overdue: payload.state has another schema"]


def test_writing_the_schemas_anew_keeps_their_examples(kept: Path) -> None:
    change(kept, "loan.overdue", lambda schema: schema.update(examples=[{"version": 1}]))
    write(kept)
    assert kept_in(kept)["loan.overdue"]["examples"] == [{"version": 1}]
    assert checked(kept).returncode == 0


def test_a_removed_or_changed_example_is_reported() -> None:
    released = {"loan.overdue": {"examples": [{"version": 1}, {"version": 2}]}}
    fault = ["loan.overdue: an example is gone or has changed"]
    assert lost_examples(released, {"loan.overdue": {"examples": [{"version": 1}]}}) == fault
    assert lost_examples(released, {}) == fault
    grown = {"loan.overdue": {"examples": [{"version": v} for v in (1, 2, 3)]}}
    assert lost_examples(released, grown) == []
