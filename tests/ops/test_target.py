"""The system that an operator's command acts on: always the one that was named."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from ops.cli import app
from ops.infrastructure.embedded import Infrastructure
from ops.infrastructure.processes import ENVIRONMENT_FILE, System, services
from ops.target import described, settings_of
from services.accounts.settings import Settings as AccountsSettings
from services.settings import Settings
from tests import patience

NOWHERE = Infrastructure("mongodb://user:secret@127.0.0.1:1/", "127.0.0.1:2", None, None)
WRITING = (
    ("staff", "add", "S-1", "--role", "staff", "--pin-stdin"),
    ("policies", "delete", "default", "--reason", "a test"),
    ("replay", "circulation"),
    ("rebuild", "gateway"),
    ("topics", "create"),
    ("dead-letters", "discard", "--all"),
)
SILENT = {
    "account",
    "contracts",
    "demo",
    "fines",
    "serve",
    "up",
    "analytics check",
    "analytics pictures",
    "analytics report",
    "analytics connector",
    "analytics sql",
    "init",
    "backup check",
    "backup key",
    "keys services",
}
"""Commands that need no running system, with all of their parts or one."""
LISTS = re.compile("List |Show ")
"""First words of a command that prints what there is."""


@pytest.fixture(autouse=True)
def unnamed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clear the environment of anything that names a system; changes end with the test."""
    monkeypatch.setattr(os, "environ", {k: v for k, v in os.environ.items() if "CARREL" not in k})


@pytest.fixture
def up(tmp_path: Path) -> Iterator[System]:
    """A running system without services, in `tmp_path / "data"`, under a prefix of its own."""
    os.environ["CARREL_DATABASE_PREFIX"] = "branch"
    with services(NOWHERE, tmp_path / "data", names=[], usual_ports=False) as system:
        del os.environ["CARREL_DATABASE_PREFIX"]
        yield system


def test_the_folder_names_the_whole_system(up: System, tmp_path: Path) -> None:
    settings = settings_of(tmp_path / "data", AccountsSettings)
    assert (settings.kafka, settings.mongo_url) == (NOWHERE.kafka, NOWHERE.mongo_url)
    assert settings.card_key == up.environment["CARREL_CARD_KEY"]
    assert settings.database_prefix == "branch"


@pytest.mark.parametrize("name", ["CARREL_KAFKA", "CARREL_MONGO_URL", "CARREL_DATABASE_PREFIX"])
def test_the_folder_goes_before_every_variable(up: System, tmp_path: Path, name: str) -> None:
    os.environ[name] = "elsewhere"
    settings = settings_of(tmp_path / "data", AccountsSettings)
    assert (settings.kafka, settings.mongo_url) == (NOWHERE.kafka, NOWHERE.mongo_url)
    assert settings.database_prefix == up.environment["CARREL_DATABASE_PREFIX"]


@pytest.mark.parametrize("name", ["CARREL_KAFKA", "CARREL_MONGO_URL"])
def test_a_named_database_is_never_joined_with_the_broker_of_the_usual_folder(
    up: System, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / ".data").mkdir()
    (tmp_path / ".data" / "up").symlink_to(tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    assert settings_of(None).kafka == NOWHERE.kafka
    for variable in [variable for variable in os.environ if "CARREL" in variable]:
        del os.environ[variable]
    os.environ[name] = "mongodb://elsewhere/"
    settings = settings_of(None)
    assert settings.kafka != NOWHERE.kafka
    assert settings.mongo_url != up.environment["CARREL_MONGO_URL"]


def test_a_file_in_the_folder_of_settings_names_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    os.environ["CARREL_SECRETS_FOLDER"] = str(tmp_path)
    with pytest.raises(typer.Exit):
        settings_of(None)
    (tmp_path / "CARREL_MONGO_URL").write_text("mongodb://elsewhere/")
    assert settings_of(None).mongo_url == "mongodb://elsewhere/"


def test_a_folder_that_a_crash_left_behind_names_no_system(tmp_path: Path) -> None:
    (tmp_path / ENVIRONMENT_FILE).write_text(
        json.dumps({"CARREL_MONGO_URL": "mongodb://127.0.0.1:27017/"})
    )
    with pytest.raises(typer.Exit):
        settings_of(tmp_path)


@pytest.mark.parametrize("command", WRITING, ids=lambda command: " ".join(command[:2]))
def test_a_command_never_writes_to_another_system_than_the_folder_names(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    ran = _carrel(*command, "--data", str(tmp_path / "other"), cwd=tmp_path)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "No system runs in" in ran.stderr


def test_a_command_without_a_named_system_asks_for_it(tmp_path: Path) -> None:
    ran = _carrel("staff", "add", "S-1", "--role", "staff", "--pin-stdin", cwd=tmp_path)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "CARREL_MONGO_URL" in ran.stderr
    assert "--data" in ran.stderr


@pytest.mark.usefixtures("up")
@pytest.mark.parametrize("command", WRITING, ids=lambda command: " ".join(command[:2]))
def test_a_command_that_writes_says_to_which_system(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    ran = _carrel(*command, "--data", str(tmp_path / "data"), cwd=tmp_path)
    written = "Writing to databases branch_* at 127.0.0.1:1, Kafka at 127.0.0.1:2."
    assert ran.stderr.startswith(written), ran.stderr
    assert "secret" not in ran.stderr


def commands() -> Iterator[tuple[str, str, set[str | None]]]:
    """Yield each command by its name, with its text and the names of its options."""
    group = typer.main.get_group(app)
    context = typer.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        for part in getattr(command, "commands", {}).values() or [command]:
            names = {option.name for option in part.params}
            yield f"{name} {part.name}", part.help or "", names


def test_every_command_on_a_system_takes_its_folder() -> None:
    without = [name for name, _, options in commands() if "data" not in options]
    assert not [name for name in without if not {name, name.split()[0]} & SILENT]


def test_every_command_that_lists_or_shows_prints_json() -> None:
    listing = {name: options for name, text, options in commands() if LISTS.match(text)}
    assert {"staff list", "topics list", "lag lag", "policies history"} <= listing.keys()
    assert not [name for name, options in listing.items() if "as_json" not in options]


def test_a_system_is_described_without_its_password() -> None:
    url = "mongodb://carrel:secret@one:27017,two:27017/?replicaSet=rs0"
    assert described(Settings(mongo_url=url, kafka="k:9092", database_prefix="hk")) == (
        "databases hk_* at one:27017,two:27017, Kafka at k:9092"
    )


def _carrel(*arguments: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "ops", *arguments],
        cwd=cwd,
        input="27-18-28\n",
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=patience.stretched(120),
        check=False,
    )
