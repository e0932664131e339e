"""Settings are checked at start; logs describe events without personal data."""

import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
import structlog
from pydantic import ValidationError

from ops.environment import load, load_to_serve, unknown
from services.accounts.settings import Settings as AccountsSettings
from services.gateway.settings import LIMITS
from services.gateway.settings import Settings as GatewaySettings
from services.registry import NAMES
from services.settings import Settings as ServicesSettings
from shared.assertions import make_key, public_half
from shared.bus.connection import client_arguments
from shared.settings import Settings
from shared.telemetry import configure_logs
from shared.tracing import configure_tracing
from tests import patience
from tests.keys import DERIVING
from tests.systems import PROJECT


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CARREL_PORT", "eighty"),
        ("CARREL_ROLES", "api,cook"),
        ("CARREL_TIME_ZONE", "Asia/Nowhere"),
        ("CARREL_REPLICA", "a b"),
        ("CARREL_LOG_LEVEL", "loud"),
    ],
)
def test_a_bad_setting_is_one_clear_error(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as stopped:
        load(Settings)
    said = str(stopped.value)
    assert name in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("misspelt", "nearest"),
    [
        ("CARREL_KAFKA_SASL_PASSWORD", "CARREL_KAFKA_PASSWORD"),
        ("CARREL_KAFKA_USER", "CARREL_KAFKA_USERNAME"),
        ("CARREL_KAFKA_TLS_CA_FILE", "CARREL_KAFKA_CA_FILE"),
        ("CARREL_MONGODB_URL", "CARREL_MONGO_URL"),
        ("CARREL_LOG_LEVL", "CARREL_LOG_LEVEL"),
        ("CARREL_ACCOUNT_URL", "CARREL_ACCOUNTS_URL"),
        ("CARREL_TRUSTED_PROXY", "CARREL_TRUSTED_PROXIES"),
        ("CARREL_WRONG_PINS_PER_NETWORKS", "CARREL_WRONG_PINS_PER_NETWORK"),
        ("CARREL_SMTP_PASWORD_FILE", "CARREL_SMTP_PASSWORD"),
    ],
)
def test_an_unknown_setting_is_an_error_that_names_the_nearest(
    monkeypatch: pytest.MonkeyPatch, misspelt: str, nearest: str
) -> None:
    monkeypatch.setenv(misspelt, PASSWORD)
    with pytest.raises(SystemExit) as stopped:
        load(ServicesSettings)
    assert f"{misspelt}: there is no such setting; the nearest is {nearest}" in str(stopped.value)
    assert PASSWORD not in str(stopped.value)


def test_a_setting_of_several_kinds_changes_those_that_it_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert load(GatewaySettings).limits == LIMITS
    monkeypatch.setenv("CARREL_LIMITS", "log-in=200, ask=0")
    assert load(GatewaySettings).limits == {**LIMITS, "log-in": 200, "ask": 0}
    for wrong in ("login=200", "ask=many", "ask=-1", "200"):
        monkeypatch.setenv("CARREL_LIMITS", wrong)
        with pytest.raises(SystemExit, match="CARREL_LIMITS: "):
            load(GatewaySettings)
    monkeypatch.delenv("CARREL_LIMITS")
    monkeypatch.setenv("CARREL_ASK_PER_MINUTE", "0")
    with pytest.raises(SystemExit, match="CARREL_ASK_PER_MINUTE: there is no such setting"):
        load(GatewaySettings)


def test_every_variable_that_the_project_names_is_known() -> None:
    files = [PROJECT / name for name in ("Makefile", "docker-compose.yml", ".ci/run")]
    files += [*(PROJECT / "docs").glob("*.md"), *(PROJECT / "ops").rglob("*.py")]
    files += [*(PROJECT / "tests").glob("*.py"), *(PROJECT / "benchmarks").glob("*.py")]
    texts = [file.read_text() for file in files]
    named = {name for text in texts for name in re.findall(r"\bCARREL_[A-Z_]*[A-Z]\b", text)}
    assert len(named) > 60
    assert unknown(named) == []


def test_secrets_of_kafka_and_mongodb_may_be_in_files(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    url = "mongodb://events:hidden@127.0.0.1/"
    for name, secret in (("CARREL_MONGO_URL", url), ("CARREL_KAFKA_PASSWORD", PASSWORD)):
        (tmp_path / name).write_text(f"{secret}\n")
        monkeypatch.setenv(f"{name}_FILE", str(tmp_path / name))
    monkeypatch.setenv("CARREL_KAFKA_SECURITY", "scram")
    monkeypatch.setenv("CARREL_KAFKA_USERNAME", "events")
    found = load(Settings)
    assert (found.mongo_url, found.kafka_password.get_secret_value()) == (url, PASSWORD)


PASSWORD = "a:hidden/text@elsewhere"


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"KAFKA_PASSWORD": PASSWORD}, "CARREL_KAFKA_SECURITY=none does not use"),
        ({"KAFKA_CA_FILE": __file__}, "CARREL_KAFKA_SECURITY=none does not use"),
        (
            {"KAFKA_SECURITY": "tls", "KAFKA_USERNAME": "events"},
            "CARREL_KAFKA_SECURITY=tls does not use CARREL_KAFKA_USERNAME",
        ),
        (
            {"KAFKA_SECURITY": "scram", "KAFKA_PASSWORD": PASSWORD},
            "CARREL_KAFKA_SECURITY=scram needs CARREL_KAFKA_USERNAME",
        ),
        (
            {"KAFKA_SECURITY": "tls", "KAFKA_CERTIFICATE_FILE": __file__},
            "CARREL_KAFKA_CERTIFICATE_FILE and CARREL_KAFKA_KEY_FILE need each other",
        ),
        ({"KAFKA_SECURITY": "tls", "KAFKA_CA_FILE": "/nowhere"}, "can't be read or used"),
        ({"KAFKA_SECURITY": "tls", "KAFKA_CA_FILE": __file__}, "can't be read or used"),
        ({"TLS_KEY_FILE": __file__}, "needs CARREL_TLS_CA_FILE, CARREL_TLS_CERTIFICATE_FILE too"),
        (
            {"TLS_CA_FILE": __file__, "TLS_CERTIFICATE_FILE": __file__},
            "TLS between services needs CARREL_TLS_KEY_FILE too",
        ),
        ({"TLS_CA_FILE": "/nowhere"}, "CARREL_TLS_…_FILE can't be read or used (FileNotFound"),
        ({"TLS_CA_FILE": __file__}, "CARREL_TLS_…_FILE can't be read or used (SSLError)"),
        (
            {"TLS_CA_FILE": __file__, "EVENTS_URL": "http://events:8080"},
            "CARREL_TLS_CA_FILE needs addresses with https, not http://events:8080",
        ),
        ({"MONGO_URL": f"mongodb://events:{PASSWORD}@localhost/"}, "CARREL_MONGO_URL: "),
        (
            {"MONGO_URL": "mongodb://localhost/?tls=true&tlsCAFile=/nowhere"},
            "CARREL_MONGO_URL: Value error, a file that it names can't be read",
        ),
    ],
)
def test_protection_that_would_not_take_effect_is_one_clear_error(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], named: str
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(f"CARREL_{name}", value)
    with pytest.raises(SystemExit) as stopped:
        load(Settings)
    assert named in str(stopped.value)
    assert not any(part in str(stopped.value) for part in ("hidden", "elsewhere"))


def test_settings_show_no_password() -> None:
    settings = Settings(
        mongo_url="mongodb://events:hidden-1@localhost/",
        kafka_security="scram",
        kafka_username="events",
        kafka_password="hidden-2",  # type: ignore[arg-type]
    )
    assert "hidden" not in repr(settings)
    assert "hidden-2" not in settings.model_dump_json()
    arguments = client_arguments(settings)
    assert arguments["security_protocol"] == "SASL_SSL"
    assert arguments["sasl_plain_password"] == "hidden-2"
    with pytest.raises(ValidationError) as refused:
        Settings(kafka_password="hidden-3")  # type: ignore[arg-type]
    assert "hidden" not in str(refused.value)


SECRETS = {
    "CARREL_SERVICE_SECRET": "a secret of these tests",
    "CARREL_CARD_KEY": "a key of these tests",
    "CARREL_AUDIT_KEYS": "another key of these tests",
    **{f"CARREL_{name.upper()}": f"{key}, for this purpose" for name, key in DERIVING.items()},
    "CARREL_SERVICE_KEY": make_key(),
    "CARREL_SERVICE_KEYS": f"events={public_half(make_key())}",
}


@pytest.mark.parametrize("name", SECRETS)
def test_without_one_of_its_secrets_a_service_does_not_start(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for given, value in SECRETS.items():
        monkeypatch.setenv(given, value)
    assert load_to_serve(AccountsSettings).service_keys.keys() == {"events"}
    monkeypatch.setenv(name, "")
    with pytest.raises(SystemExit) as stopped:
        load_to_serve(AccountsSettings)
    assert name in str(stopped.value)
    assert not any(value in str(stopped.value) for value in SECRETS.values())


@pytest.mark.parametrize("service", NAMES)
def test_no_service_starts_without_secrets(service: str) -> None:
    environment = {name: value for name, value in os.environ.items() if "CARREL" not in name}
    started = subprocess.run(
        [sys.executable, "-m", "ops", "serve", service],
        env=environment,
        capture_output=True,
        text=True,
        timeout=patience.stretched(120),
        check=False,
    )
    assert started.returncode == 1
    for name in ("CARREL_SERVICE_SECRET", "CARREL_SERVICE_KEY", "CARREL_AUDIT_KEYS"):
        assert name in started.stderr
    assert ("CARREL_CARD_KEY" in started.stderr) == (service in ("accounts", "circulation"))
    assert "Traceback" not in started.stderr


def test_roles_are_a_comma_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARREL_ROLES", "api, relay")
    assert load(Settings).roles == ("api", "relay")


def test_an_unknown_exporter_is_one_clear_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "nowhere")
    with pytest.raises(SystemExit, match=r"OTEL_TRACES_EXPORTER.*nowhere.*console"):
        configure_tracing("circulation", "0")


@pytest.fixture
def _logs_as_before() -> Iterator[None]:
    """Reset the logging that a test sets up: its stream ends with the test."""
    yield
    structlog.reset_defaults()
    logging.basicConfig(force=True)


@pytest.mark.usefixtures("_logs_as_before")
def test_an_exception_is_logged_without_its_message(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("circulation", "0", "info")
    try:
        raise ValueError("card C1000001")
    except ValueError as error:
        structlog.get_logger().error("unexpected", error=type(error).__name__, exc_info=error)
        logging.getLogger("a.library").exception("failed")
    ours, theirs = [json.loads(line) for line in capsys.readouterr().err.splitlines()]

    assert (ours["event"], ours["error"], ours["service"]) == (
        "unexpected",
        "ValueError",
        "circulation",
    )
    assert (theirs["event"], theirs["error"]) == ("failed", "ValueError")
    for line in (ours, theirs):
        assert (line["service"], line["replica"], line["level"]) == ("circulation", "0", "error")
        assert datetime.fromisoformat(line["timestamp"]).tzinfo
        assert "C1000001" not in json.dumps(line)
        assert "test_an_exception_is_logged" in line["places"][-1]


@pytest.mark.usefixtures("_logs_as_before")
def test_repeated_log_lines_of_a_package_are_limited(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logs("circulation", "0", "info")
    for attempt in range(5):
        logging.getLogger("aiokafka.client").error("Unable to connect: %s", attempt)
    logging.getLogger("aiokafka.client").error("Another matter")
    said = [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()]
    assert said == ["Unable to connect: 0", "Another matter"]
