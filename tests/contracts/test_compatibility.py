"""The events are as they were released, and a change that breaks a reader is caught."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from ops.contracts import FOLDER, breaking
from ops.contracts import export as write
from shared.contracts import published

Change = Callable[[dict[str, Any]], object]


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """The schemas of today, in a folder that a test may change."""
    write(tmp_path)
    return tmp_path


def change(folder: Path, topic: str, how: Change) -> None:
    file = folder / f"{topic}.v1.json"
    schema = orjson.loads(file.read_bytes())
    how(schema)
    file.write_bytes(orjson.dumps(schema))


def test_every_event_has_its_schema_in_the_repository() -> None:
    assert {file.name for file in FOLDER.glob("*.json")} == {f"{t}.v1.json" for t in published()}
    assert breaking(FOLDER) == []


def test_a_new_optional_field_breaks_nothing(kept: Path) -> None:
    change(kept, "loan.overdue", lambda schema: schema["properties"].pop("returned_on"))
    assert breaking(kept) == []


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
            "payload.renewals has another form",
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
    ],
)
def test_a_breaking_change_is_caught(kept: Path, how: Change, says: str) -> None:
    change(kept, "loan.overdue", how)
    assert breaking(kept) == [f"loan.overdue: {says}"]


def test_a_topic_does_not_disappear(kept: Path) -> None:
    (kept / "loan.forgotten.v1.json").write_bytes(b"{}")
    assert breaking(kept) == ["loan.forgotten: is no longer published"]
