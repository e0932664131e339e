"""Offsets on the broker: the ends of the topics, and the positions of each service.

The topics of a service come from its consumers, which declare them by their functions.
"""

import asyncio
import time
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import import_module
from types import TracebackType
from typing import Any, Self, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    KafkaTimeoutError,
    NotCoordinatorForGroupError,
    for_code,
)

from services.registry import NAMES
from shared.bus.connection import client_arguments
from shared.bus.subscriptions import Record
from shared.bus.topics import all_topics
from shared.mongo import Client, connect
from shared.names import Names
from shared.settings import Settings

T = TypeVar("T")

SILENCE_MS = 15_000
"""Milliseconds without a record after which a read is given up."""

COORDINATOR_SECONDS = 30
"""Seconds after which a broker that does not yet know the positions of a group is given up."""

NO_COORDINATOR = (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    NotCoordinatorForGroupError,
)
"""Answers of a Kafka that has just started, or creates or moves its topic of positions."""


@cache
def subscribed_topics() -> dict[str, tuple[str, ...]]:
    """Return the topics that each service consumes; its group has the service's name."""
    found = {}
    for service in NAMES:
        topics = tuple(import_module(f"services.{service}.app").SUBSCRIPTIONS.by_topic)
        if topics:
            found[service] = topics
    return found


@dataclass(frozen=True)
class Lag:
    """The lag of a service on a topic, summed over all partitions."""

    service: str
    topic: str
    end: int
    committed: int
    lag: int
    """Events that it has still to process. Events that the topic no longer keeps do not count."""


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(9999, 12, 31, tzinfo=UTC)


def published_at(record: Record) -> datetime:
    """Return the time of a message, which its publisher states: the nearest that a calendar has."""
    latest_ms = (LATEST - EPOCH) // timedelta(milliseconds=1)
    return EPOCH + timedelta(milliseconds=min(max(record.timestamp, 0), latest_ms))


class Positions:
    """The positions on a broker; call `refresh` if topics may have been created meanwhile."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.names = Names(settings.topic_prefix)
        self.topics: dict[str, dict[str, Any]] = {}
        """The broker's description of each declared topic that exists."""
        self.partitions: list[TopicPartition] = []

    async def __aenter__(self) -> Self:
        self._reader = self._consumer()
        self.admin = AIOKafkaAdminClient(**client_arguments(self._settings))
        try:
            await self._reader.start()
            await self.admin.start()
            await self.refresh()
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

    def _consumer(self) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(**client_arguments(self._settings), enable_auto_commit=False)

    async def refresh(self) -> None:
        """Read the existing topics from the broker."""
        declared = set(all_topics(NAMES))
        # Asks for all topics: a broker may create a topic that is asked for by name.
        described = await self.admin.describe_topics()
        self.topics = {
            topic: found
            for found in described
            if (topic := self.names.topic(found["topic"])) in declared
        }
        self.partitions = [
            TopicPartition(topic, partition["partition"])
            for topic, found in self.topics.items()
            for partition in found["partitions"]
        ]
        # Else the reader learns of one topic after the other, with a pause of 100 ms for each.
        known = self._on_kafka(self.partitions)
        self._reader.assign(known)
        self._reader.pause(*known)
        for partition in known:  # else it asks the broker where to start each
            self._reader.seek(partition, 0)

    @property
    def missing(self) -> list[str]:
        """The declared topics that do not exist."""
        return [topic for topic in all_topics(NAMES) if topic not in self.topics]

    async def ends(self) -> dict[TopicPartition, int]:
        """Return the offset after the last event of each partition."""
        found = await self._reader.end_offsets(self._on_kafka(self.partitions))
        return self.names.by_partition(found)

    async def starts(self) -> dict[TopicPartition, int]:
        """Return the offset of the first event that each partition still keeps."""
        return await self._starts(self.partitions)

    async def _starts(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        if not partitions:
            return {}
        found = await self._reader.beginning_offsets(self._on_kafka(partitions))
        return self.names.by_partition(found)

    async def committed(self, service: str) -> dict[TopicPartition, int]:
        """Return the position of a service in each partition that its group has read.

        Waits while the broker does not yet know the positions; raises the broker's error after
        COORDINATOR_SECONDS.
        """

        async def read(group: str) -> dict[TopicPartition, int]:
            stored = await self.admin.list_consumer_group_offsets(group)
            if not stored:
                # aiokafka drops the error of a broker that still loads the positions.
                await self._count_members(group)
                stored = await self.admin.list_consumer_group_offsets(group)
            return self.names.by_partition({at: found.offset for at, found in stored.items()})

        return await self._coordinated(read, service)

    async def members(self, service: str) -> int:
        """Return how many processes consume for a service; waits like `committed`.

        One that was killed counts until its session has ended.
        """
        return await self._coordinated(self._count_members, service)

    async def _count_members(self, group: str) -> int:
        [answer] = await self.admin.describe_consumer_groups([group])
        [(error_code, _, _, _, _, members, *_)] = answer.groups
        if error_code:
            raise for_code(error_code)
        return len(members)

    async def _coordinated(self, ask: Callable[[str], Awaitable[T]], service: str) -> T:
        """Ask about a service's group, again while no broker coordinates it."""
        deadline = time.monotonic() + COORDINATOR_SECONDS
        while True:
            try:
                return await ask(self.names.on_kafka(service))
            except NO_COORDINATOR:
                if time.monotonic() > deadline:
                    raise
            await asyncio.sleep(0.2)

    def _on_kafka(self, partitions: Iterable[TopicPartition]) -> list[TopicPartition]:
        return [self.names.partition_on_kafka(partition) for partition in partitions]

    async def lags(self) -> list[Lag]:
        """Return the lag of each service on each existing topic that it consumes."""
        ends = await self.ends()
        by_topic: dict[str, list[TopicPartition]] = {}
        for partition in self.partitions:
            by_topic.setdefault(partition.topic, []).append(partition)
        read: dict[tuple[str, str], dict[TopicPartition, int]] = {}
        for service, topics in subscribed_topics().items():
            committed = await self.committed(service)
            for topic in topics:
                if topic in by_topic:
                    at = {p: max(committed.get(p, 0), 0) for p in by_topic[topic]}
                    read[service, topic] = at
        behind = {p for at in read.values() for p, offset in at.items() if offset < ends[p]}
        starts = await self._starts(list(behind))
        return [
            Lag(
                service,
                topic,
                end=sum(ends[p] for p in at),
                committed=sum(at.values()),
                lag=sum(max(0, ends[p] - max(at[p], starts[p])) for p in at if p in behind),
            )
            for (service, topic), at in read.items()
        ]

    async def since(self, moment: datetime) -> dict[TopicPartition, int]:
        """Return the offset of the first event of each partition that was published since then.

        Where there is none, it is the end of the partition.
        """
        milliseconds = int(moment.timestamp() * 1000)
        asked = dict.fromkeys(self._on_kafka(self.partitions), milliseconds)
        ends = await self.ends()
        found = self.names.by_partition(await self._reader.offsets_for_times(asked))
        return {p: at.offset if (at := found[p]) else ends[p] for p in self.partitions}

    async def last_records(self, topics: Sequence[str]) -> list[Record]:
        """Return the last record of each partition of these topics that has any.

        Raises KafkaTimeoutError if the broker falls silent.
        """
        ends, starts = await self.ends(), await self.starts()
        last = {p: ends[p] - 1 for p in ends if p.topic in topics and starts[p] < ends[p]}
        return [record async for record in self.records_from(last)]

    async def records(self, topic: str) -> AsyncGenerator[Record]:
        """Yield the records of a topic, from its beginning to its present end.

        Those of a partition come in order. Raises KafkaTimeoutError if the broker falls silent.
        """
        starts = await self.starts()
        of_topic = {p: offset for p, offset in starts.items() if p.topic == topic}
        async with aclosing(self.records_from(of_topic)) as records:
            async for record in records:
                yield record

    async def records_from(self, first: Mapping[TopicPartition, int]) -> AsyncGenerator[Record]:
        """Yield the records of each partition from its offset in `first` to its present end.

        Those of a partition come in order. Raises KafkaTimeoutError if the broker falls silent.
        """
        ends = await self.ends()
        left = {p for p, offset in first.items() if offset < ends[p]}
        if not left:
            return
        reader = self._consumer()
        await reader.start()
        try:
            reader.assign(self._on_kafka(left))
            for partition in left:
                reader.seek(self.names.partition_on_kafka(partition), first[partition])
            while left:
                fetched = await reader.getmany(timeout_ms=SILENCE_MS)
                if not fetched:
                    raise KafkaTimeoutError("the topics were not read to their ends")
                for partition, records in self.names.by_partition(fetched).items():
                    for record in records:
                        if record.offset < ends[partition]:
                            yield self.names.record(record)
                    if records[-1].offset + 1 >= ends[partition]:
                        left.discard(partition)
                        reader.pause(self.names.partition_on_kafka(partition))
        finally:
            await reader.stop()


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[tuple[Client, Positions]]:
    """Yield the database and the positions of a system."""
    client: Client = connect(settings.mongo_url)
    try:
        async with Positions(settings) as positions:
            yield client, positions
    finally:
        client.close()
