"""The rights on Kafka that each user of the system needs, derived from the declared topics.

Each service has a user with the name of its consumer group. It may write what it publishes and its
dead letters, and read what it consumes. It creates no topic: operators do.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from shlex import join
from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import for_code
from aiokafka.protocol.admin import CreateAclsRequest, CreateAclsRequest_v1

from ops.broker.offsets import subscribed_topics
from services.registry import NAMES
from services.settings import Settings
from shared.bus.connection import client_arguments
from shared.bus.topics import all_topics, dead_letter_topic
from shared.contracts import published
from shared.names import Names

ANALYST = "analyst"
"""User that reads every event and no dead letter, as for `carrel analytics follow`."""
OPERATOR = "operator"
"""User of operators' commands."""
ADMINISTRATION = ("Create", "DescribeConfigs", "Read", "Write")
"""Operations on topics of operators: create, check and read topics; replay and retry events."""

# The numbers of Kafka's protocol (org.apache.kafka.common.acl and .resource).
_OPERATIONS = {"Read": 3, "Write": 4, "Create": 5, "DescribeConfigs": 10}
_RESOURCES = {"topic": 2, "group": 3}
_LITERAL, _ALLOW, _ANY_HOST = 3, 3, "*"


@dataclass(frozen=True)
class Grant:
    """Operations that a user may do on resources of one kind; Describe follows from each."""

    user: str
    operations: Sequence[str]
    resource: str
    """`topic` or `group`."""
    names: Sequence[str]


def grants(prefix: str = "") -> list[Grant]:
    """Return what each user of the system with this topic prefix may do, under Kafka's names."""
    return list(_grants(Names(prefix)))


def _grants(names: Names) -> Iterator[Grant]:
    def on_kafka(found: Sequence[str]) -> list[str]:
        return sorted(map(names.on_kafka, found))

    for service in NAMES:
        user = names.on_kafka(service)
        written = [*published(service), dead_letter_topic(service)]
        yield Grant(user, ["Write"], "topic", on_kafka(written))
        if read := subscribed_topics().get(service):
            yield Grant(user, ["Read"], "topic", on_kafka(read))
            yield Grant(user, ["Read"], "group", [user])
    yield Grant(names.on_kafka(ANALYST), ["Read"], "topic", on_kafka([*published()]))
    operator = names.on_kafka(OPERATOR)
    yield Grant(operator, ADMINISTRATION, "topic", on_kafka(all_topics(NAMES)))
    yield Grant(operator, ["Read"], "group", on_kafka(NAMES))


def as_command(grant: Grant, bootstrap: str) -> str:
    """Return the command of Kafka's own tools that gives these rights."""
    words = ["kafka-acls.sh", "--bootstrap-server", bootstrap]
    words += ["--command-config", "administrator.properties", "--add"]
    words += ["--allow-principal", f"User:{grant.user}"]
    for operation in grant.operations:
        words += ["--operation", operation]
    for name in grant.names:
        words += [f"--{grant.resource}", name]
    return join(words)


async def give(settings: Settings, given: Sequence[Grant]) -> int:
    """Give the rights, as a user who may alter the cluster; return how many there are.

    Rights that exist stay. Raises KafkaError if the broker refuses.
    """
    creations = [
        (
            _RESOURCES[grant.resource],
            name,
            _LITERAL,
            f"User:{grant.user}",
            _ANY_HOST,
            _OPERATIONS[operation],
            _ALLOW,
        )
        for grant in given
        for name in grant.names
        for operation in grant.operations
    ]
    client = AIOKafkaClient(**client_arguments(settings))
    try:
        await client.bootstrap()
        answer = await client.send(client.get_random_node(), _CreateAcls(creations))
    finally:
        await client.close()
    for code, reason in answer.creation_responses:
        if code:
            raise for_code(code)(reason or "refused")
    return len(creations)


class _CreateAcls(CreateAclsRequest):  # type: ignore[misc]
    """One request for many rights; aiokafka's own has one."""

    def __init__(self, creations: Sequence[tuple[Any, ...]]) -> None:
        self._creations = creations

    def build(self, request_struct_class: Any) -> CreateAclsRequest_v1:  # noqa: ARG002
        return CreateAclsRequest_v1(self._creations)
