"""MongoDB and Kafka from containers, where an engine and their images are.

`CARREL_TEST_INFRA=containers make test` takes the database and the brokers of the tests of stores
and messaging from containers. The whole systems of journeys and faults stay processes of this
machine: those tests stop, kill and suspend them.
"""

import contextlib
import time
import warnings
from collections.abc import Callable, Iterator
from typing import TypeVar

from docker.errors import DockerException
from pymongo import MongoClient
from pymongo.errors import PyMongoError
from testcontainers.community.kafka import KafkaContainer
from testcontainers.core.container import DockerContainer

C = TypeVar("C", bound=DockerContainer)

MONGO = "mongo:7.0"
KAFKA = "confluentinc/cp-kafka:7.9.0"
"""The image that testcontainers knows how to start; its broker is Apache Kafka 3.9."""


@contextlib.contextmanager
def mongo_container() -> Iterator[str | None]:
    """The URL of a replica set of one node in a container; None where there can be none."""
    with _started(
        lambda: (
            DockerContainer(MONGO)
            .with_exposed_ports(27017)
            .with_command("--replSet rs0 --bind_ip_all")
        )
    ) as container:
        if container is None:
            yield None
            return
        # Only inside the container is the member's name an address: hence the direct connection.
        url = f"mongodb://127.0.0.1:{container.get_exposed_port(27017)}/?directConnection=true"
        _initiate(url)
        yield url


@contextlib.contextmanager
def kafka_container() -> Iterator[str | None]:
    """The bootstrap server of a broker in a container; None where there can be none."""
    with _started(lambda: KafkaContainer(KAFKA).with_kraft()) as container:
        yield container.get_bootstrap_server() if container else None


@contextlib.contextmanager
def _started(described: Callable[[], C]) -> Iterator[C | None]:
    try:
        container = described()
        container.start()
    except (DockerException, OSError) as error:
        warnings.warn(
            f"No container can be started here ({type(error).__name__}): the local ones are used.",
            stacklevel=2,
        )
        yield None
        return
    try:
        yield container
    finally:
        container.stop()


def _initiate(url: str, within: float = 30.0) -> None:
    member = {"_id": 0, "host": "localhost:27017"}
    deadline = time.monotonic() + within
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
