"""The declared topics as they are on the broker, and the rights of services on a secured one."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from shlex import join
from typing import Any

from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.admin import CreateAclsRequest, CreateAclsRequest_v1

from ops.broker.offsets import Positions, subscribed_topics
from services.registry import NAMES
from services.settings import Settings
from shared.bus.connection import client_arguments
from shared.bus.topics import all_topics, dead_letter_topic, declared_topics
from shared.contracts import published
from shared.names import Names

Configs = dict[str, str]
DAY_MS = 86_400_000


@dataclass(frozen=True)
class Topic:
    """A topic on the broker; `fault` describes its difference from the declaration."""

    topic: str
    partitions: int
    replication: int
    events: int
    retention: str
    """`30 days`, `for ever`, or `?` if the broker does not report it."""
    fault: str
    """Empty if the topic is as declared. An operator has to correct a fault."""
    note: str
    """Another difference, which may be intended."""


async def inspect(settings: Settings) -> list[Topic]:
    """Return every declared topic as it is, missing ones with 0 partitions."""
    async with Positions(settings) as positions:
        starts, ends = await positions.starts(), await positions.ends()
        events: Counter[str] = Counter()
        for partition, end in ends.items():
            events[partition.topic] += end - starts[partition]
        configs = await _configs(positions)
        return [
            _compare(topic, positions.topics.get(name), configs[topic.name], events[name])
            for topic in declared_topics(settings, NAMES)
            if (name := positions.names.topic(topic.name))
        ]


def _compare(declared: Any, found: dict[str, Any] | None, configs: Configs, events: int) -> Topic:
    if found is None:
        fault = "is missing: carrel topics create"
        return Topic(declared.name, 0, 0, 0, "", fault, "")
    partitions = len(found["partitions"])
    replication = min(len(partition["replicas"]) for partition in found["partitions"])
    fault, notes = "", []
    if partitions != declared.num_partitions:
        # Adding partitions is no remedy: a patron's later events would go to another partition.
        fault = (
            f"has {partitions} partitions, {declared.num_partitions} are declared: set "
            "CARREL_PARTITIONS to the present number, or create it again and replay"
        )
    if replication < declared.replication_factor:
        notes.append(f"{replication} copies, not {declared.replication_factor}")
    notes += [
        f"{name} {configs[name]}, not {value}"
        for name, value in declared.topic_configs.items()
        if name in configs and configs[name] != value
    ]
    kept = _days(configs.get("retention.ms", ""))
    return Topic(declared.name, partitions, replication, events, kept, fault, "; ".join(notes))


def _days(retention_ms: str) -> str:
    if not retention_ms:
        return "?"
    return "for ever" if int(retention_ms) < 0 else f"{int(retention_ms) / DAY_MS:g} days"


async def _configs(positions: Positions) -> defaultdict[str, Configs]:
    """Return the broker's settings of each topic; empty if the broker does not report them."""
    found: defaultdict[str, Configs] = defaultdict(dict)
    resources = [
        ConfigResource(ConfigResourceType.TOPIC, positions.names.on_kafka(topic))
        for topic in positions.topics
    ]
    with suppress(KafkaError):
        for answer in await positions.admin.describe_configs(resources) if resources else ():
            for _, _, _, topic, entries in answer.resources:
                found[topic] = {entry[0]: entry[1] for entry in entries}
    return found


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


def as_users(given: Sequence[Grant], cluster: str) -> list[dict[str, Any]]:
    """Return the users with these rights as manifests for Strimzi's operator of a cluster.

    It makes their passwords, and takes away every right that is not in the manifest.
    """
    by_user: dict[str, list[Any]] = defaultdict(list)
    for grant in given:
        by_user[grant.user] += [
            {
                "resource": {"type": grant.resource, "name": name, "patternType": "literal"},
                "operations": list(grant.operations),
            }
            for name in grant.names
        ]
    return [
        {
            "apiVersion": "kafka.strimzi.io/v1",
            "kind": "KafkaUser",
            "metadata": {"name": user, "labels": {"strimzi.io/cluster": cluster}},
            "spec": {
                "authentication": {"type": "scram-sha-512"},
                "authorization": {"type": "simple", "acls": rules},
            },
        }
        for user, rules in by_user.items()
    ]


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
