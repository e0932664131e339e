"""Event schemas stay as released, and the check finds a change that breaks a reader."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import orjson
import pytest
import typer

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
from tests import patience

Change = Callable[[dict[str, Any]], object]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The current schemas."""
    folder = tmp_path_factory.mktemp("exported")
    write(folder)
    return folder


@pytest.fixture
def kept(exported: Path, tmp_path: Path) -> Path:
    """The current schemas, in a folder that a test may change."""
    return shutil.copytree(exported, tmp_path, dirs_exist_ok=True)


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


@dataclass(frozen=True)
class Planted:
    """A schema as it was before a breaking change: the contract is today's."""

    how: Change
    says: str
    topic: str = "loan.overdue"
    seen: bool = True
    """False if jsonsubschema does not find it: not about types and values, or left out (SILENT)."""


PLANTED = {
    "a field that readers use is gone": Planted(
        lambda schema: schema["properties"].update(colour={"type": "string"}),
        "payload.colour is gone",
    ),
    "a field has another type": Planted(
        lambda schema: schema["properties"].update(renewals={"type": "string"}),
        "payload.renewals has another schema",
    ),
    "a field may be null now": Planted(
        lambda schema: schema["properties"].update(returned_on={"type": "string"}),
        "payload.returned_on has another schema",
    ),
    "a field has another form of text": Planted(
        lambda schema: schema["properties"]["due_on"].update(format="date-time"),
        "payload.due_on has another schema",
        seen=False,
    ),
    "a field may have a new value": Planted(
        lambda schema: schema["properties"]["state"].update(enum=["open", "returned"]),
        "payload.state has another schema",
    ),
    "a field never has a value that readers wait for": Planted(
        lambda schema: schema["properties"]["state"]["enum"].append("missing"),
        "payload.state has another schema",
        seen=False,
    ),
    "a text may be longer": Planted(
        lambda schema: schema["properties"]["barcode"].update(maxLength=10),
        "payload.barcode has another schema",
        seen=False,
    ),
    "a number may be greater": Planted(
        lambda schema: schema["properties"]["renewals"].update(maximum=9),
        "payload.renewals has another schema",
    ),
    "an id may have other letters": Planted(
        lambda schema: schema["properties"]["loan_id"].update(pattern="^[a-z]{1,80}$"),
        "payload.loan_id has another schema",
        seen=False,
    ),
    "a list may be longer": Planted(
        lambda schema: schema["properties"]["spans"].update(maxItems=2),
        "payload.spans has another schema",
        topic="fine.assessed",
        seen=False,
    ),
    "a field of a part is gone": Planted(
        lambda schema: schema["$defs"]["SpanOut"]["properties"].update(colour={"type": "string"}),
        "SpanOut.colour is gone",
        topic="fine.assessed",
    ),
    "a field of a part may have a new value": Planted(
        lambda schema: schema["$defs"]["SpanOut"]["properties"]["disposition"].update(
            enum=["charged"]
        ),
        "SpanOut.disposition has another schema",
        topic="fine.assessed",
    ),
    "a field is required that old events lack": Planted(
        lambda schema: schema["required"].remove("due_on"),
        "payload.due_on is required now",
        seen=False,
    ),
    "a field may be missing that readers count on": Planted(
        lambda schema: schema["required"].append("returned_on"),
        "payload.returned_on may be missing now",
    ),
    "unknown fields are treated in another way": Planted(
        lambda schema: schema.update(additionalProperties=False),
        "payload has another rule for additional properties",
    ),
    "events fall into other partitions": Planted(
        lambda schema: schema.update({"x-key": "loan_id"}),
        "x-key was loan_id and is patron_id",
        seen=False,
    ),
    "events are about another resource": Planted(
        lambda schema: schema.update({"x-subject": "copy_id"}),
        "x-subject was copy_id and is loan_id",
        seen=False,
    ),
    "another service publishes it": Planted(
        lambda schema: schema.update({"x-publisher": "notices"}),
        "x-publisher was notices and is circulation",
        seen=False,
    ),
}


@pytest.mark.parametrize("planted", PLANTED.values(), ids=PLANTED)
def test_a_breaking_change_is_refused_with_advice(
    kept: Path, planted: Planted, capsys: pytest.CaptureFixture[str]
) -> None:
    change(kept, planted.topic, planted.how)
    assert breaking(kept_in(kept)) == [f"{planted.topic}: {planted.says}"]
    with pytest.raises(typer.Exit):
        write(kept)
    said = capsys.readouterr().err
    assert "Publish these under a new topic ending in .v2 instead:" in said
    assert f"{planted.topic}: {planted.says}" in said


def test_a_topic_that_is_gone_is_refused(kept: Path) -> None:
    (kept / "loan.eaten.v1.json").write_bytes((kept / "loan.lost.v1.json").read_bytes())
    assert breaking(kept_in(kept)) == ["loan.eaten: is no longer published"]


SILENT = {
    *("$defs", "$schema", "default", "description", "examples", "format", "title"),
    *("maxItems", "maxLength", "minItems", "minLength", "pattern"),
}
"""Keywords that jsonsubschema is not given: it would build automata of all lengths of texts."""


def inlined(schema: Any, parts: Mapping[str, Any], inside: tuple[str, ...] = ()) -> Any:
    """Return a schema as jsonsubschema reads it, without references.

    A part inside a part of its own kind may be anything: only causes of spans are.
    """
    if isinstance(schema, list):
        return [inlined(one, parts, inside) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return {} if name in inside else inlined(parts[name], parts, (*inside, name))
    found = {}
    for key, value in schema.items():
        if key == "properties":
            found[key] = {name: inlined(one, parts, inside) for name, one in value.items()}
        elif key == "patternProperties":
            [values] = value.values()
            found["additionalProperties"] = inlined(values, parts, inside)
        elif key not in SILENT and not key.startswith("x-"):
            found[key] = inlined(value, parts, inside)
    return found


def fits(now: dict[str, Any], kept: dict[str, Any]) -> bool:
    """Return whether jsonsubschema finds that readers of `kept` can read all events of `now`."""
    # Its import takes a second, which each process of tests would spend.
    library = import_module("jsonsubschema")
    forms = [inlined(one, one.get("$defs", {})) for one in (now, kept)]
    return bool(library.isSubschema(*forms))


@pytest.mark.parametrize("topic", sorted(published()))
def test_jsonsubschema_finds_each_contract_compatible_with_its_file(topic: str) -> None:
    schemas = kept_in(FOLDER)
    optional = next(
        (one for one in schemas[topic]["properties"] if one not in schemas[topic]["required"]),
        None,
    )
    earlier = orjson.loads(orjson.dumps(schemas[topic]))
    if optional:  # as if it had come with this change
        del earlier["properties"][optional]
    assert fits(schemas[topic], earlier)


@pytest.mark.parametrize(
    "planted",
    [one for one in PLANTED.values() if one.seen],
    ids=[n for n in PLANTED if PLANTED[n].seen],
)
def test_jsonsubschema_finds_the_same_breaking_changes(kept: Path, planted: Planted) -> None:
    now = kept_in(kept)[planted.topic]
    change(kept, planted.topic, planted.how)
    assert not fits(now, kept_in(kept)[planted.topic])


def git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=Tests", "-c", "user.email=tests@example.org"]
    command = ["git", *who, *arguments]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def checked(folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "ops", "contracts", "check", "--folder", str(folder)],
        capture_output=True,
        text=True,
        timeout=patience.stretched(120),
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
