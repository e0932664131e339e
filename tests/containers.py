"""MongoDB and Kafka in containers, if an engine and the images are available.

With `CARREL_TEST_INFRA=containers make test`, the tests of stores and messaging use a database and
brokers in containers, from the images that the compose file names. The whole systems of journeys
and faults stay processes of this machine: those tests stop, kill and suspend them.
"""

import contextlib
import time
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from docker.errors import DockerException
from pymongo import MongoClient
from pymongo.errors import PyMongoError
from testcontainers.core.container import DockerContainer

from ops.infrastructure import ports
from ops.infrastructure.apache import known_brokers
from tests import patience

COMPOSED: dict[str, Any] = yaml.safe_load(
    (Path(__file__).parents[1] / "docker-compose.yml").read_text()
)["services"]
WITHIN = 120.0
"""Seconds until a server in a container must answer."""


@contextlib.contextmanager
def mongo_container() -> Iterator[str | None]:
    """Yield the URL of a one-node replica set in a container; None if none can be started."""
    with _started("mongo", 27017, command="--replSet rs0 --bind_ip_all") as port:
        if port is None:
            yield None
            return
        # The member's name resolves only inside the container, so the connection is direct.
        url = f"mongodb://{ports.LOOPBACK}:{port}/?directConnection=true"
        _initiate(url)
        yield url


@contextlib.contextmanager
def kafka_container() -> Iterator[str | None]:
    """Yield the bootstrap server of a broker in a container; None if none can be started."""
    port = ports.reserve()
    settings = COMPOSED["kafka"]["environment"] | {
        # The same port inside and outside, since clients connect to the address that it advertises.
        "KAFKA_LISTENERS": f"PLAINTEXT://:{port},CONTROLLER://:9093",
        "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://{ports.LOOPBACK}:{port}",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
    }
    try:
        with _started("kafka", port, port, settings) as published:
            if published is None:
                yield None
                return
            deadline = time.monotonic() + patience.stretched(WITHIN)
            while port not in known_brokers(port):
                assert time.monotonic() < deadline, "the broker in the container does not serve"
                time.sleep(0.1)  # between looks, up to the deadline
            yield f"{ports.LOOPBACK}:{port}"
    finally:
        ports.release(port)


@contextlib.contextmanager
def _started(
    name: str,
    inside: int,
    outside: int | None = None,
    settings: Mapping[str, str] | None = None,
    *,
    command: str | None = None,
) -> Iterator[int | None]:
    """Start a container of a compose service; yield its port on the loopback address, or None."""
    with contextlib.ExitStack() as stack:
        try:
            container = DockerContainer(
                COMPOSED[name]["image"], command=command, env=dict(settings or {})
            )
            stack.callback(container.stop)
            published: Any = {f"{inside}/tcp": (ports.LOOPBACK, outside)}  # not on every address
            container.ports = published
            container.start()
            port = int(container.get_exposed_port(inside))
        except (DockerException, OSError) as error:
            warnings.warn(
                f"No container can be started here ({type(error).__name__}): the local ones are "
                "used.",
                stacklevel=2,
            )
            port = None
        yield port


def _initiate(url: str) -> None:
    member = {"_id": 0, "host": "localhost:27017"}
    deadline = time.monotonic() + patience.stretched(WITHIN)
    client: MongoClient[dict[str, object]] = MongoClient(url, serverSelectionTimeoutMS=1000)
    with client:
        while True:
            try:
                if client.admin.command("hello").get("isWritablePrimary"):
                    return
                client.admin.command("replSetInitiate", {"_id": "rs0", "members": [member]})
            except PyMongoError:
                if time.monotonic() > deadline:
                    raise
