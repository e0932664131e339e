"""The compose file keeps what an operator relies on; that needs no engine."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.bus import SERVICES
from shared.settings import Settings

ROOT = Path(__file__).parents[2]
FILE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def test_there_are_the_services_a_store_and_a_broker() -> None:
    assert {*SERVICES, "mongo", "kafka"} <= set(FILE["services"])


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_can_do_no_more_than_it_must(name: str) -> None:
    service = FILE["services"][name]
    assert service["command"] == [name]
    assert service["read_only"] is True
    assert service["user"] not in ("", "0", "root")
    assert f"--uid {service['user']}" in DOCKERFILE
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert {"cpus", "memory"} <= set(service["deploy"]["resources"]["limits"])


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_watched_and_waits_for_what_it_stands_on(name: str) -> None:
    service = FILE["services"][name]
    assert "/health/ready" in " ".join(service["healthcheck"]["test"])
    assert set(service["depends_on"]) == {"mongo", "kafka"}
    for part in service["depends_on"]:
        assert service["depends_on"][part] == {"condition": "service_healthy"}
        assert FILE["services"][part]["healthcheck"]["test"]


@pytest.mark.parametrize("name", [name for name in SERVICES if name != "gateway"])
def test_a_service_can_be_scaled(name: str) -> None:
    assert not {"container_name", "ports", "hostname"} & set(FILE["services"][name])
    assert "CARREL_REPLICA" not in FILE["services"][name]["environment"]  # its host name is


def test_nothing_but_the_gateway_is_reached_from_outside_and_that_from_this_machine() -> None:
    ports = {name: service.get("ports", []) for name, service in FILE["services"].items()}
    opened = {name: opened for name, opened in ports.items() if opened}
    assert set(opened) == {"gateway"}
    assert all(port.startswith("127.0.0.1:") for port in opened["gateway"])


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_told_only_what_there_is_to_tell(name: str) -> None:
    told = FILE["services"][name]["environment"]
    known = {f"CARREL_{field.upper()}" for field in Settings.model_fields}
    assert {key for key in told if key.startswith("CARREL_")} <= known
    for secret in ("CARREL_SERVICE_SECRET", "CARREL_CARD_KEY"):
        assert told[secret].startswith(f"${{{secret}:?"), "no default: it has to be made"
    for service in SERVICES:
        assert told[f"CARREL_{service.upper()}_URL"] == f"http://{service}:{told['CARREL_PORT']}"


@pytest.mark.parametrize("name", ["mongo", "kafka"])
def test_what_is_kept_is_on_a_volume_and_of_a_version_that_is_named(name: str) -> None:
    service = FILE["services"][name]
    volumes = [volume.split(":")[0] for volume in service["volumes"]]
    assert volumes == [name]
    assert name in FILE["volumes"]
    version = service["image"].rpartition(":")[2]
    assert version[0].isdigit()
