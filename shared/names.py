"""Names of topics and consumer groups on Kafka: our own names after the system's prefix.

Code, contracts, databases and commands use the names without the prefix. They are translated here,
and only where code talks to a Kafka client, so that systems with different prefixes can share a
broker.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from aiokafka import ConsumerRecord, TopicPartition

V = TypeVar("V")


@dataclass(frozen=True)
class Names:
    """The names of one system."""

    prefix: str = ""

    def on_kafka(self, name: str) -> str:
        """Return the name of a topic or group on Kafka."""
        return self.prefix + name

    def partition_on_kafka(self, partition: TopicPartition) -> TopicPartition:
        """Return a partition with its topic's name on Kafka."""
        return TopicPartition(self.on_kafka(partition.topic), partition.partition)

    def topic(self, name: str) -> str:
        """Return a topic's own name; empty for a topic of another system."""
        return name.removeprefix(self.prefix) if name.startswith(self.prefix) else ""

    def by_partition(self, found: Mapping[TopicPartition, V]) -> dict[TopicPartition, V]:
        """Return a Kafka client's values by partition under the topics' own names."""
        return {
            TopicPartition(self.topic(partition.topic), partition.partition): value
            for partition, value in found.items()
        }

    def record(self, record: ConsumerRecord[Any, Any]) -> ConsumerRecord[Any, Any]:
        """Return a message with the topic's own name."""
        return replace(record, topic=self.topic(record.topic)) if self.prefix else record
