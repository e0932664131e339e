"""The compose file has the properties that operators rely on; tested without an engine."""

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from ops.environment import named, secrets_by_service
from services.registry import NAMES
from services.settings import Settings

ROOT = Path(__file__).parents[2]
FILE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def test_there_are_the_services_a_store_and_a_broker() -> None:
    assert {*NAMES, "mongo", "kafka"} <= set(FILE["services"])


@pytest.mark.parametrize("name", NAMES)
def test_a_service_has_only_the_rights_that_it_needs(name: str) -> None:
    service = FILE["services"][name]
    assert service["command"] == [name]
    assert service["read_only"] is True
    assert service["user"] not in ("", "0", "root")
    assert f"--uid {service['user']}" in DOCKERFILE
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert {"cpus", "memory"} <= set(service["deploy"]["resources"]["limits"])


@pytest.mark.parametrize("name", NAMES)
def test_a_service_has_a_health_check_and_waits_for_store_and_broker(name: str) -> None:
    service = FILE["services"][name]
    assert "/health/ready" in " ".join(service["healthcheck"]["test"])
    assert set(service["depends_on"]) == {"mongo", "kafka"}
    for part in service["depends_on"]:
        assert service["depends_on"][part] == {"condition": "service_healthy"}
        assert FILE["services"][part]["healthcheck"]["test"]


@pytest.mark.parametrize("name", [name for name in NAMES if name != "gateway"])
def test_a_service_can_be_scaled(name: str) -> None:
    assert not {"container_name", "ports", "hostname"} & set(FILE["services"][name])
    assert "CARREL_REPLICA" not in FILE["services"][name]["environment"]  # its host name is


def test_only_the_gateways_have_a_port_and_only_on_this_machine() -> None:
    ports = {name: service.get("ports", []) for name, service in FILE["services"].items()}
    opened = {name: opened for name, opened in ports.items() if opened}
    assert set(opened) == {"gateway", "sip2"}
    inside = FILE["services"]["gateway"]["environment"]["CARREL_OPERATIONS_PORT"]
    published = [port for each in opened.values() for port in each]
    assert not any(port.endswith(f":{inside}") for port in published)
    assert all(port.startswith("127.0.0.1:") for port in published)


WITHOUT_A_VARIABLE = {
    *("CARREL_HOST", "CARREL_REPLICA", "CARREL_URLS"),
    *("CARREL_TLS_CA_FILE", "CARREL_TLS_CERTIFICATE_FILE", "CARREL_TLS_KEY_FILE"),
}
"""Settings that the image gives, one that is made from the addresses of services, and TLS between
services, which the file's own network on one machine does not need."""
ADDRESSES = {f"CARREL_{service.upper()}_URL" for service in NAMES}
SET = {"CARREL_PORT", "CARREL_OPERATIONS_PORT", "CARREL_MONGO_URL", "CARREL_KAFKA", *ADDRESSES}
"""Settings that suit the containers of the file."""


@pytest.mark.parametrize("name", NAMES)
def test_a_service_gets_every_setting_that_it_has_and_no_other(name: str) -> None:
    """Each documented setting reaches its container from .env or the shell."""
    environment = FILE["services"][name]["environment"]
    settings: type[Settings] = import_module(f"services.{name}.settings").Settings
    known = {f"CARREL_{field.upper()}" for field in settings.model_fields} - WITHOUT_A_VARIABLE
    known |= {f"CARREL_{service.upper()}_URL" for service in NAMES}
    assert set(environment) == known
    for required in settings.required:
        variable = f"CARREL_{required.upper()}"
        secret = secrets_by_service()[name].get(variable)
        needed = f"${{{named(variable, name, secret) if secret else variable}:?"
        assert environment[variable].startswith(needed), "made, and no other service's"
    for variable, value in environment.items():  # the others go from .env as they are, if set
        assert (
            value is None
            or variable in SET
            or variable.removeprefix("CARREL_").lower() in (settings.required)
        ), variable
    for service in NAMES:
        assert (
            environment[f"CARREL_{service.upper()}_URL"]
            == f"http://{service}:{environment['CARREL_PORT']}"
        )


@pytest.mark.parametrize("name", ["mongo", "kafka"])
def test_a_store_keeps_its_data_on_a_volume_and_its_image_has_a_version(name: str) -> None:
    service = FILE["services"][name]
    volumes = [volume.split(":")[0] for volume in service["volumes"]]
    assert volumes == [name]
    assert name in FILE["volumes"]
    tag = service["image"].partition("@")[0]  # a digest may follow
    assert tag.rpartition(":")[2][0].isdigit()


def test_the_version_of_the_database_is_supported_for_years() -> None:
    assert int(FILE["services"]["mongo"]["image"].partition(":")[2].split(".")[0]) >= 8


def test_kafka_keeps_its_log_on_the_volume() -> None:
    kafka = FILE["services"]["kafka"]
    assert kafka["volumes"] == [f"kafka:{kafka['environment']['KAFKA_LOG_DIRS']}"]


def test_the_heap_of_kafka_leaves_room_for_its_health_check() -> None:
    # The check is a JVM in the same container, with the same setting; both count.
    kafka = FILE["services"]["kafka"]
    assert kafka["environment"]["KAFKA_HEAP_OPTS"] == "-Xms400m -Xmx400m"
    assert kafka["deploy"]["resources"]["limits"]["memory"] == "1G"


@pytest.mark.parametrize("name", ["mongo", "kafka"])
def test_a_store_has_time_to_close_its_files(name: str) -> None:
    # After the default of 10 s, a broker on a slow machine was killed.
    assert FILE["services"][name]["stop_grace_period"] == "60s"
