"""The image, run as docker-compose.yml says, with MongoDB and Apache Kafka on this machine.

For a machine with a container engine: build the image, then `CARREL_IMAGE=carrel:latest` and
`make test-kafka`, or this file alone. Containers share the host's network, so that nothing listens
beyond the loopback address: names and published ports of the compose file are not tested here.
"""

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from ops.environment import missing_secrets, variables_of
from ops.infrastructure import ports
from ops.infrastructure.embedded import embedded
from ops.infrastructure.processes import System
from services.registry import NAMES
from tests import patience
from tests.library import Library

ROOT = Path(__file__).parents[2]
FILE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
IMAGE = os.environ.get("CARREL_IMAGE", "")
COPIES = {"circulation": 3}
"""Number of containers, as with `--scale circulation=3`."""

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.skipif(
        not IMAGE or not shutil.which("docker"),
        reason="CARREL_IMAGE names the image that an engine here has",
    ),
]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The five services in containers, healthy by the compose file's own checks."""
    folder = tmp_path_factory.mktemp("image")
    with ExitStack() as stack:
        infrastructure = stack.enter_context(
            embedded(folder, mongo_port=None, kafka_port=None, broker="apache")
        )
        first = {service: ports.reserve() for service in NAMES}
        environment = {
            "CARREL_MONGO_URL": infrastructure.mongo_url,
            "CARREL_KAFKA": infrastructure.kafka,
            **infrastructure.service_environment,
            "CARREL_SIMULATION": "1",
            **{
                f"CARREL_{service.upper()}_URL": f"http://{ports.LOOPBACK}:{port}"
                for service, port in first.items()
            },
        }
        made = missing_secrets({})
        operations = {service: ports.reserve() for service in NAMES}
        containers = [
            stack.enter_context(
                _container(service, both, {**environment, **variables_of(made, service)})
            )
            for service in NAMES
            for both in [(first[service], operations[service]), *_more(service)]
        ]
        deadline = time.monotonic() + patience.stretched(240)
        for container in containers:
            while (health := _docker("inspect", "-f", "{{.State.Health.Status}}", container)) != (
                "healthy"
            ):
                assert time.monotonic() < deadline, (health, _docker("logs", container)[-2000:])
                time.sleep(1)  # between looks, up to the deadline
        yield _Contained(infrastructure, {}, environment, operations=operations)


@dataclass(frozen=True)
class _Contained(System):
    """A system whose processes the container engine runs."""

    operations: Mapping[str, int] = field(default_factory=dict)
    """Port of operations of the first replica of each service."""

    def operations_url(self, service: str, replica: int = 0) -> str:
        assert replica == 0, "only the first is called"
        return f"http://{ports.LOOPBACK}:{self.operations[service]}"

    def url(self, service: str, replica: int = 0) -> str:
        assert replica == 0, "only the first is called"
        return self.environment[f"CARREL_{service.upper()}_URL"]


def _more(service: str) -> list[tuple[int, int]]:
    return [(ports.reserve(), ports.reserve()) for _ in range(COPIES.get(service, 1) - 1)]


@contextmanager
def _container(
    service: str, both: tuple[int, int], environment: Mapping[str, str]
) -> Iterator[str]:
    """Run a service by its section of the compose file, with other addresses."""
    port, operations = both
    section = FILE["services"][service]
    check = section["healthcheck"]
    assert check["test"][0] == "CMD"
    python, option, code = (part.replace(":9080/", f":{operations}/") for part in check["test"][1:])
    limits = section["deploy"]["resources"]["limits"]
    settings = section["environment"] | environment | {"CARREL_PORT": str(port)}
    settings |= {"CARREL_OPERATIONS_PORT": str(operations)}
    settings |= {"CARREL_HOST": ports.LOOPBACK}
    container = _docker(
        "run",
        "--detach",
        "--network=host",
        f"--hostname={service}-{port}",
        f"--user={section['user']}",
        f"--memory={limits['memory']}",
        f"--health-cmd={python} {option} '{code}'",
        f"--health-interval={check['interval']}",
        f"--health-timeout={check['timeout']}",
        f"--health-retries={check['retries']}",
        f"--health-start-period={check['start_period']}",
        *(["--read-only"] if section["read_only"] else []),
        *(f"--tmpfs={folder}" for folder in section["tmpfs"]),
        *(f"--cap-drop={capability}" for capability in section["cap_drop"]),
        *(f"--security-opt={option}" for option in section["security_opt"]),
        *(f"--env={name}={value}" for name, value in settings.items()),
        IMAGE,
        *section["command"],
    )
    try:
        yield container
    finally:
        _docker("stop", "--time=20", container)
        _docker("rm", container)
        ports.release(port)


def _docker(*arguments: str) -> str:
    done = subprocess.run(
        ["docker", *arguments],  # noqa: S607 - whichever engine the machine has
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip() or done.stderr.strip()


async def test_a_book_is_lent_and_the_account_shows_it(running: System) -> None:
    async with Library(running) as library:
        branch = await library.branch()
        card = await library.patron(branch)
        barcodes = await library.copies(branch, 2)
        await library.flow.settle(within=60)  # circulation has to know the branch
        loans = await library.lend(card, barcodes, branch)
        await library.flow.settle(within=60)
        overview = await library.get("/v1/me", by=card)
        assert {shown["id"] for shown in overview["loans"]} == {loan["id"] for loan in loans}
        assert all(source["live"] for source in overview["sources"].values())


async def test_the_image_contains_the_page(running: System) -> None:
    async with aiohttp.ClientSession(running.gateway_url) as browser:
        async with browser.get("/") as answer:
            page = await answer.text()
        assert "<h1" in page
        [script] = re.findall(r'src="(/[^"]*htmx[^"]*)"', page)
        async with browser.get(script) as answer:
            assert answer.status == 200


def test_no_process_of_the_image_has_more_rights_than_a_reader(running: System) -> None:
    names = _docker("ps", "--quiet", f"--filter=ancestor={IMAGE}").split()
    assert len(names) == len(NAMES) + 2
    for name in names:
        [state] = json.loads(_docker("inspect", name))
        assert state["Config"]["User"] == "10001"
        assert state["HostConfig"]["ReadonlyRootfs"]
        assert state["RestartCount"] == 0
