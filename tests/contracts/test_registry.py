"""The declaration of the services agrees with the contracts and with itself."""

import pytest

from ops.environment import load
from services.gateway.web import words
from services.registry import NAMES, OWNERS, SERVICES
from services.settings import Settings
from shared.contracts import published


def test_each_event_has_a_declared_publisher() -> None:
    assert {contract.publisher for contract in published().values()} == set(OWNERS)


def test_no_two_services_share_a_name_a_port_or_a_prefix() -> None:
    prefixes = [prefix for service in SERVICES for prefix in service.prefixes]
    assert len(set(prefixes)) == len(prefixes)
    assert len(set(NAMES)) == len({service.port for service in SERVICES}) == len(SERVICES)


def test_the_page_has_a_text_for_each_owner() -> None:
    assert words.SOURCES.keys() == set(OWNERS)


def test_the_environment_overrides_the_usual_address_of_a_service(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CARREL_EVENTS_URL", "http://events:8080/")
    settings = load(Settings)
    assert settings.urls.keys() == set(NAMES)
    assert settings.urls_of("events") == ("http://events:8080",)
    assert settings.urls_of("notices") == ("http://127.0.0.1:8104",)


def test_addresses_of_a_given_environment_override_those_of_the_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CARREL_EVENTS_URL", "http://events:8080")
    other = {"CARREL_EVENTS_URL": "http://events:1", "CARREL_PARTITIONS": "5"}
    settings = Settings.from_environment(other)
    assert settings.urls_of("events") == ("http://events:1",)
    assert settings.urls_of("notices") == ("http://127.0.0.1:8104",)
    assert settings.partitions == 5
