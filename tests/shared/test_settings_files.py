"""Settings may be given by files, as orchestrators mount secrets."""

import os
from pathlib import Path

import pytest

from ops.environment import load, load_to_serve, readable_by_everyone
from services.accounts.settings import Settings as AccountsSettings
from services.notices.settings import Settings as NoticesSettings
from shared.settings import MOST_BYTES, PREFIX, without_files
from tests.shared.test_settings_and_logs import SECRETS

SECRET = "a secret that no error may tell"


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return a file that holds the card key, named by its variable; no other variable is set."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    file = tmp_path / "card-key"
    file.write_text(f"{SECRET}\n")
    file.chmod(0o400)
    monkeypatch.setenv("CARREL_CARD_KEY_FILE", str(file))
    return file


def refusal() -> str:
    """Return the error with which a process ends because of its settings."""
    with pytest.raises(SystemExit) as stopped:
        load(AccountsSettings)
    assert SECRET not in str(stopped.value)
    return str(stopped.value)


@pytest.mark.usefixtures("given")
def test_a_setting_is_read_from_its_file_without_the_end_of_the_line() -> None:
    assert load(AccountsSettings).card_key == SECRET


@pytest.mark.usefixtures("given")
def test_an_empty_variable_beside_a_file_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARREL_CARD_KEY", "")
    assert load(AccountsSettings).card_key == SECRET


def test_every_secret_of_a_service_may_be_in_a_file(
    monkeypatch: pytest.MonkeyPatch, given: Path
) -> None:
    for name, value in SECRETS.items():
        file = given.parent / name
        file.write_text(value)
        monkeypatch.setenv(f"{name}_FILE", str(file))
    settings = load_to_serve(AccountsSettings)
    assert settings.service_key == SECRETS["CARREL_SERVICE_KEY"]
    assert set(settings.service_keys) == {"events"}


def test_a_folder_may_have_the_files_of_settings(
    monkeypatch: pytest.MonkeyPatch, given: Path
) -> None:
    for name, value in SECRETS.items():
        file = given.parent / name
        file.write_text(value)
        file.chmod(0o404)
    monkeypatch.delenv("CARREL_CARD_KEY_FILE")
    monkeypatch.setenv("CARREL_SECRETS_FOLDER", str(given.parent))
    assert load_to_serve(AccountsSettings).service_key == SECRETS["CARREL_SERVICE_KEY"]
    assert "CARREL_CARD_KEY_FILE" in readable_by_everyone(AccountsSettings)
    monkeypatch.setenv("CARREL_CARD_KEY", "another key than the file has")
    assert "CARREL_CARD_KEY and CARREL_CARD_KEY_FILE are both set" in refusal()


def test_settings_of_another_process_may_be_in_files(given: Path) -> None:
    settings = AccountsSettings.from_environment({"CARREL_CARD_KEY_FILE": str(given)})
    assert settings.card_key == SECRET


@pytest.mark.usefixtures("given")
def test_a_setting_with_a_variable_and_a_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARREL_CARD_KEY", "another")
    assert "CARREL_CARD_KEY and CARREL_CARD_KEY_FILE are both set" in refusal()


def test_a_file_that_cannot_be_used_is_refused_by_the_name_of_its_variable(given: Path) -> None:
    given.chmod(0o600)
    given.write_bytes(b"\xff\xfe")
    assert "CARREL_CARD_KEY_FILE" in refusal()
    given.write_text(SECRET * MOST_BYTES)
    assert "CARREL_CARD_KEY_FILE" in refusal()
    given.unlink()
    assert "CARREL_CARD_KEY_FILE" in refusal()
    given.mkdir()
    assert "CARREL_CARD_KEY_FILE" in refusal()


def test_a_file_with_a_bad_value_is_refused_like_a_bad_variable(
    monkeypatch: pytest.MonkeyPatch, given: Path
) -> None:
    monkeypatch.setenv("CARREL_SERVICE_KEY_FILE", str(given))  # not 64 digits
    assert "CARREL_SERVICE_KEY" in refusal()


def test_a_file_that_everybody_may_read_is_named(given: Path) -> None:
    assert readable_by_everyone(AccountsSettings) == []
    given.chmod(0o644)
    assert readable_by_everyone(AccountsSettings) == ["CARREL_CARD_KEY_FILE"]


@pytest.mark.usefixtures("given")
def test_a_setting_that_is_a_path_itself_is_not_the_content_of_a_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CARREL_SMTP_CA_FILE", "/nowhere/ca.pem")
    assert str(load(NoticesSettings).smtp_ca_file) == "/nowhere/ca.pem"


def test_a_process_gets_no_file_of_a_setting_that_it_gets_by_variable() -> None:
    assert without_files({"CARREL_A": "1", "CARREL_A_FILE": "x", "CARREL_B_FILE": "y"}) == {
        "CARREL_A": "1",
        "CARREL_B_FILE": "y",
    }
