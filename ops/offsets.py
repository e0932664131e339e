"""Where the topics begin and end on the broker, and how far each service has read them."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from types import TracebackType
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaTimeoutError

from shared.bus import SERVICES, all_topics

SILENCE_MS = 15_000


@cache
def heard() -> dict[str, tuple[str, ...]]:
    """The topics that each service hears; its consumer group has the service's name."""
    found = {}
    for service in SERVICES:
        if find_spec(f"services.{service}.consumers"):
            topics = tuple(import_module(f"services.{service}.consumers").hears.handlers)
            if topics:
                found[service] = topics
    return found


@dataclass(frozen=True)
class Lag:
    """How far a service has read a topic, all partitions together."""

    service: str
    topic: str
    end: int
    committed: int
    lag: int
    """Events that it has still to take in. Those that the topic no longer keeps do not count."""


class Positions:
    """A look at the broker; `look` again if topics may have been created meanwhile."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap.split(",")
        self.topics: dict[str, dict[str, Any]] = {}
        """What the broker says of each declared topic that is there."""
        self.partitions: list[TopicPartition] = []

    async def __aenter__(self) -> Self:
        self._reader = AIOKafkaConsumer(bootstrap_servers=self._bootstrap, enable_auto_commit=False)
        self.admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap)
        try:
            await self._reader.start()
            await self.admin.start()
            await self.look()
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.admin.close()
        await self._reader.stop()

    async def look(self) -> None:
        """See which topics there are."""
        declared = set(all_topics())
        # All are asked for: a broker may create a topic that is asked for by its name.
        described = await self.admin.describe_topics()
        self.topics = {found["topic"]: found for found in described if found["topic"] in declared}
        self.partitions = [
            TopicPartition(topic, partition["partition"])
            for topic, found in self.topics.items()
            for partition in found["partitions"]
        ]

    @property
    def missing(self) -> list[str]:
        """The declared topics that are not there."""
        return [topic for topic in all_topics() if topic not in self.topics]

    async def ends(self) -> dict[TopicPartition, int]:
        """The offset after the last event of each partition."""
        ends: dict[TopicPartition, int] = await self._reader.end_offsets(self.partitions)
        return ends

    async def starts(self) -> dict[TopicPartition, int]:
        """The offset of the first event that each partition still keeps."""
        starts: dict[TopicPartition, int] = await self._reader.beginning_offsets(self.partitions)
        return starts

    async def lags(self) -> list[Lag]:
        """How far each service has read each topic that it hears and that is there."""
        found = []
        starts, ends = await self.starts(), await self.ends()
        for service, topics in heard().items():
            stored = await self.admin.list_consumer_group_offsets(service)
            committed = {partition: at.offset for partition, at in stored.items()}
            for topic in topics:
                parts = [p for p in self.partitions if p.topic == topic]
                if not parts:
                    continue
                read = {p: max(committed.get(p, 0), 0) for p in parts}
                lag = sum(max(0, ends[p] - max(read[p], starts[p])) for p in parts)
                end = sum(ends[p] for p in parts)
                found.append(Lag(service, topic, end, sum(read.values()), lag))
        return found

    async def records(self, topic: str) -> AsyncGenerator[ConsumerRecord[bytes, bytes]]:
        """What a topic holds now, from its beginning to its present end.

        Partitions come one after the other. Raises KafkaTimeoutError if the broker falls silent.
        """
        ends, starts = await self.ends(), await self.starts()
        filled = [p for p in self.partitions if p.topic == topic and starts[p] < ends[p]]
        if not filled:
            return
        reader = AIOKafkaConsumer(bootstrap_servers=self._bootstrap, enable_auto_commit=False)
        await reader.start()
        try:
            for partition in filled:
                reader.assign([partition])
                reader.seek(partition, starts[partition])
                while await reader.position(partition) < ends[partition]:
                    fetched = await reader.getmany(timeout_ms=SILENCE_MS)
                    if not fetched:
                        raise KafkaTimeoutError(f"{topic} was not read to its end")
                    for record in fetched[partition]:
                        if record.offset < ends[partition]:
                            yield record
        finally:
            await reader.stop()
