"""The offsets of processed messages, committed to Kafka in batches."""

import asyncio
import contextlib
import time

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError

from shared.bus.subscriptions import Record
from shared.failpoint import failpoint
from shared.names import Names

log = structlog.get_logger()

COMMIT_EVERY = 200
"""The number of processed messages after which offsets are committed without waiting."""
REVOKED_SECONDS = 3.0
"""Seconds for the commit before a rebalance, which waits for it."""


class Offsets(ConsumerRebalanceListener):  # type: ignore[misc]
    """The uncommitted offsets of messages processed for one consumer, committed in batches."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._next: dict[TopicPartition, int] = {}
        self._count = 0
        self._refused_since: float | None = None
        self._in_turn = asyncio.Lock()
        """Held during a commit: of two at the same time, aiokafka may send the earlier one last."""
        self.consumer: AIOKafkaConsumer | None = None
        self.waiting = asyncio.Event()
        """Set while there are offsets to commit."""

    def began(self, consumer: AIOKafkaConsumer) -> None:
        """Commit with this consumer from now on."""
        self.consumer = consumer
        self._refused_since = None

    def end(self) -> None:
        """Commit no more. A consumer that is being closed may repeat a commit for ever."""
        self.consumer = None

    def done(self, record: Record) -> bool:
        """Note a processed message; return whether enough messages are done for a commit."""
        at = TopicPartition(record.topic, record.partition)
        self._next[self._names.partition_on_kafka(at)] = record.offset + 1
        self._count += 1
        self.waiting.set()
        return self._count >= COMMIT_EVERY

    async def flush(self) -> None:
        """Commit the offsets of processed messages.

        A message whose offset can't be committed is delivered again, which does no harm.
        """
        async with self._in_turn:
            await self._commit()

    async def _commit(self) -> None:
        if not self._next:
            self.waiting.clear()
        if not self._next or self.consumer is None:
            return
        # A partition that another replica has taken over meanwhile is not ours to commit.
        ours = self.consumer.assignment()
        due = {partition: offset for partition, offset in self._next.items() if partition in ours}
        self._next, self._count = {}, 0
        self.waiting.clear()
        if not due:
            return
        try:
            await self.consumer.commit(due)
            failpoint("listener.committed")
        except (CommitFailedError, IllegalStateError):
            log.info("offsets not committed after a rebalance", partitions=len(due))
        except Exception as error:  # noqa: BLE001 - aiokafka lets errors of its transport through
            log.warning("offsets not committed", error=type(error).__name__)
            for partition, offset in due.items():
                self._next.setdefault(partition, offset)
            self.waiting.set()
            self._refused_since = self._refused_since or time.monotonic()
            return
        self._refused_since = None

    def refused_for(self) -> float:
        """Return the seconds since the first of the commits that failed in a row; 0 if none."""
        return 0.0 if self._refused_since is None else time.monotonic() - self._refused_since

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Commit before another replica takes the partitions over."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(REVOKED_SECONDS):
                await self.flush()
        for partition in revoked:
            self._next.pop(partition, None)

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Do nothing: reading continues from the committed offsets."""
