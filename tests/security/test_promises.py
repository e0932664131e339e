"""docs/security.md names a test for each promise, and says how to replace each secret."""

import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from services.registry import NAMES
from services.settings import Settings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text()
SECRETS = re.compile(r"(secrets?|keys?|password|mongo_url)$")
"""Ends of the names of settings that hold a secret."""
PUBLIC = {"service_keys"}
"""Settings with such a name that hold public keys."""


def section(title: str) -> str:
    """Return the page from a title to the next one of any level."""
    [text] = re.findall(rf"^#+ {title}$(.*?)(?=^#|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    return str(text)


def settings_of(service: str) -> type[Settings]:
    found: type[Settings] = import_module(f"services.{service}.settings").Settings
    return found


def secrets_of(service: str) -> set[str]:
    """Return the names of the settings of a service that hold a secret."""
    return {name for name in settings_of(service).model_fields if SECRETS.search(name)} - PUBLIC


def test_each_promise_names_tests_and_each_security_test_is_named() -> None:
    rows = [line for line in section("What is promised, and tested").splitlines() if "|" in line]
    named = [re.findall(r"`(tests/\S+\.py)`", row) for row in rows[2:]]
    assert len(named) > 20
    for row, files in zip(rows[2:], named, strict=True):
        assert files, row
        assert [file for file in files if not (ROOT / file).is_file()] == [], row
    here = {f"tests/security/{file.name}" for file in Path(__file__).parent.glob("test_*.py")}
    assert here <= {file for files in named for file in files}


@pytest.mark.parametrize("service", NAMES)
def test_the_page_says_what_each_secret_protects_and_how_to_replace_it(service: str) -> None:
    variables = {f"CARREL_{name.upper()}" for name in secrets_of(service)}
    assert len(variables) >= 5
    rows = [line.split("|")[1] for line in section("Keys and secrets").splitlines() if "|" in line]
    steps = re.findall(
        r"^- \*\*(.+?)\*\*", section("How to replace them"), re.MULTILINE | re.DOTALL
    )
    for variable in sorted(variables):
        assert re.search(rf"\b{variable}\b", "\n".join(rows)), f"{variable} has no row"
        assert re.search(rf"\b{variable}\b", "\n".join(steps)), f"{variable} has no steps"


@pytest.mark.parametrize("service", NAMES)
def test_no_representation_of_settings_has_a_secret(service: str) -> None:
    given: dict[str, Any] = {name: f"hidden {name}" for name in secrets_of(service)}
    given["kafka_password"] = SecretStr(given["kafka_password"])
    settings = settings_of(service).model_construct(**given)
    assert settings.service_secret == "hidden service_secret"
    assert "hidden" not in f"{settings!r} {settings}"
