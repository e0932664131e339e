"""Which system the operator's commands speak to, and what they let through to a terminal."""

import json
import os
from pathlib import Path

import pytest

from ops.console import printable, settings_of
from ops.processes import LEFT


@pytest.fixture
def left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folder of a system that `carrel up` runs."""
    # What is set meanwhile goes away with the test.
    monkeypatch.setattr(os, "environ", {k: v for k, v in os.environ.items() if "CARREL" not in k})
    told = {"CARREL_KAFKA": "127.0.0.1:2", "CARREL_MONGO_URL": "mongodb://m/", "CARREL_HOST": "h"}
    (tmp_path / LEFT).write_text(json.dumps(told))
    return tmp_path


def test_without_variables_the_system_of_the_data_folder_is_meant(left: Path) -> None:
    settings = settings_of(left)
    assert (settings.kafka, settings.mongo_url) == ("127.0.0.1:2", "mongodb://m/")


@pytest.mark.parametrize("name", ["CARREL_KAFKA", "CARREL_MONGO_URL"])
def test_a_named_database_is_never_joined_with_the_broker_of_the_data_folder(
    left: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, name, "mongodb://elsewhere/")
    settings = settings_of(left)
    assert settings.kafka != "127.0.0.1:2"
    assert settings.mongo_url != "mongodb://m/"
    assert settings.host != "h"


def test_a_folder_where_nothing_runs_changes_nothing(left: Path) -> None:
    assert settings_of(left / "other").kafka == "127.0.0.1:9092"


def test_text_is_shown_without_what_commands_a_terminal() -> None:
    assert printable("圖書\n\x1b[2J\u202e\x9b") == "圖書\n\\x1b[2J\\u202e\\x9b"
