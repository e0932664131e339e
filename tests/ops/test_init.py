"""`carrel init`: all secrets of a system, for Compose, systemd and Kubernetes."""

import os
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from dotenv import dotenv_values
from typer.testing import CliRunner, Result

from ops.commands.init import app
from ops.environment import load_to_serve, secrets_of_system, take_own
from services.registry import NAMES
from services.settings import Settings
from shared.assertions import public_halves

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def empty(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Run in an empty folder, without any setting."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("CARREL_")}
    monkeypatch.setattr(os, "environ", kept)
    monkeypatch.chdir(tmp_path)


def init(*arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments])


def settings_of(service: str, given: Mapping[str, str]) -> Settings:
    kind: type[Settings] = import_module(f"services.{service}.settings").Settings
    return kind.from_environment(given)


def test_the_file_has_every_secret_and_only_its_owner_may_read_it() -> None:
    assert init().exit_code == 0
    assert Path(".env").stat().st_mode & 0o777 == 0o600
    made = dotenv_values(".env")
    assert set(made) == {*secrets_of_system(), "CARREL_SERVICE_KEYS"}
    assert len({*made.values()}) == len(made), "no two are the same"
    compose = (ROOT / "docker-compose.yml").read_text()
    needed = {part.partition(":?")[0] for part in compose.split("${") if ":?" in part}
    assert needed <= set(made)


@pytest.mark.parametrize("service", NAMES)
def test_a_service_starts_with_the_environment_of_the_whole_system(service: str) -> None:
    """systemd gives each service the same file."""
    init()
    os.environ.update({name: value for name, value in dotenv_values(".env").items() if value})
    take_own(service)
    settings = load_to_serve(import_module(f"services.{service}.settings").Settings)
    assert settings.service_key == os.environ[f"CARREL_SERVICE_KEY_{service.upper()}"]
    assert settings.audit_keys == os.environ[f"CARREL_AUDIT_KEYS_{service.upper()}"]


def test_an_existing_file_is_never_changed() -> None:
    Path(".env").write_text("CARREL_PARTITIONS=3\n")
    refused = init()
    assert refused.exit_code == 1
    assert "--from .env takes over what it has" in refused.output
    assert Path(".env").read_text() == "CARREL_PARTITIONS=3\n"


def test_an_update_adds_what_is_missing_and_accepts_the_former_card_key() -> None:
    former = "a card key of an earlier release"
    own = f"# of ours\nCARREL_CARD_KEY='{former}'\nCARREL_TIME_ZONE=Europe/Rome\n"
    Path(".env").write_text(own)
    assert init("new.env", "--from", ".env").exit_code == 0
    assert Path("new.env").read_text().startswith(own)
    made = dotenv_values("new.env")
    assert made["CARREL_CARD_KEY"] == former
    for name, secret in secrets_of_system().items():
        accepted = (made[name] or "").split(",")[1:]
        assert accepted == ([former] if secret.was_card_key else []), name
    assert init("newer.env", "--from", "new.env").exit_code == 0
    assert Path("newer.env").read_text() == Path("new.env").read_text(), "nothing is missing"


def test_kubernetes_gets_a_secret_for_each_service_with_what_it_uses_alone() -> None:
    init()
    assert init("secrets.yaml", "--format", "kubernetes", "--from", ".env").exit_code == 0
    assert Path("secrets.yaml").stat().st_mode & 0o777 == 0o600
    kept = dotenv_values(".env")
    found: dict[str, dict[str, Any]] = {
        each["metadata"]["name"]: each
        for each in yaml.safe_load_all(Path("secrets.yaml").read_text())
    }
    assert set(found) == {*(f"carrel-{service}" for service in NAMES), "carrel-operator"}
    for service in NAMES:
        secret = found[f"carrel-{service}"]
        assert (secret["apiVersion"], secret["kind"], secret["type"]) == ("v1", "Secret", "Opaque")
        given = secret["stringData"]
        settings = settings_of(service, given)
        assert [name for name in settings.required if not getattr(settings, name)] == []
        assert given["CARREL_SERVICE_KEY"] == kept[f"CARREL_SERVICE_KEY_{service.upper()}"]
        fields = {f"CARREL_{name.upper()}" for name in type(settings).model_fields}
        assert set(given) <= fields, "no other service's"


def test_a_file_that_cannot_be_read_or_written_is_named() -> None:
    unread = init("--from", "nowhere.env")
    assert (unread.exit_code, "nowhere.env can't be read" in unread.output) == (1, True)
    unwritten = init("no/folder/.env")
    assert (unwritten.exit_code, "can't be written" in unwritten.output) == (1, True)


def test_a_service_logs_in_with_the_key_that_is_made_for_a_lost_one() -> None:
    init()
    kept = [line for line in Path(".env").read_text().splitlines() if "_KEY_EVENTS=" not in line]
    Path("kept.env").write_text("\n".join(kept))
    assert init("new.env", "--from", "kept.env").exit_code == 0
    made = {name: value or "" for name, value in dotenv_values("new.env").items()}
    public = public_halves({"events": made["CARREL_SERVICE_KEY_EVENTS"]})
    assert public in made["CARREL_SERVICE_KEYS"].split(",")
    settings_of("accounts", made)
