"""The declared topics as they are on the broker, with their differences from the declaration."""

from collections import Counter, defaultdict
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from ops.broker.offsets import Positions
from services.registry import NAMES
from services.settings import Settings
from shared.bus.topics import declared_topics

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
