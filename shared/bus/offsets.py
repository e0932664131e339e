"""The offsets of processed messages, committed to Kafka in batches."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError

from shared.bus.subscriptions import Record
from shared.failpoint import failpoint

log = structlog.get_logger()

COMMIT_EVERY = 200
"""The number of processed messages after which offsets are committed without waiting."""
REVOKED_SECONDS = 3.0
"""Seconds for the commit before a rebalance, which waits for it."""


class Offsets(ConsumerRebalanceListener):  # type: ignore[misc]
    """The uncommitted offsets of messages processed for one consumer, committed in batches."""

    def __init__(self, consumer: Callable[[], AIOKafkaConsumer | None]) -> None:
        self._consumer = consumer
        self._ended = False
        self._next: dict[TopicPartition, int] = {}
        self._count = 0
        self._refused_since: float | None = None
        self._in_turn = asyncio.Lock()
        """Held during a commit: of two at the same time, aiokafka may send the earlier one last."""
        self.waiting = asyncio.Event()
        """Set while there are offsets to commit."""
        self.at_once = False
        """True: the consumer stops, so offsets are committed without waiting for more."""

    @property
    def consumer(self) -> AIOKafkaConsumer | None:
        """The consumer that commits; None once it is being closed."""
        return None if self._ended else self._consumer()

    def end(self) -> None:
        """Commit no more. A consumer that is being closed may repeat a commit for ever."""
        self._ended = True

    async def processed(self, records: Sequence[Record]) -> None:
        """Note processed messages, and commit if they are enough."""
        for record in records:
            self._next[TopicPartition(record.topic, record.partition)] = record.offset + 1
        self._count += len(records)
        self.waiting.set()
        if self.at_once or self._count >= COMMIT_EVERY:
            await self.flush()

    def put_back(self, records: Sequence[Record]) -> None:
        """Read messages again that the consumer has returned."""
        first: dict[TopicPartition, int] = {}
        for record in records:
            first.setdefault(TopicPartition(record.topic, record.partition), record.offset)
        if consumer := self.consumer:
            for partition, offset in first.items():
                with contextlib.suppress(IllegalStateError):  # another replica reads it now
                    consumer.seek(partition, offset)

    async def flush(self) -> None:
        """Commit the offsets of processed messages.

        A message whose offset can't be committed is delivered again, which does no harm.
        """
        async with self._in_turn:
            await self._commit()

    async def _commit(self) -> None:
        if not self._next:
            self.waiting.clear()
        consumer = self.consumer
        if not self._next or consumer is None:
            return
        # A partition that another replica has taken over meanwhile is not ours to commit.
        ours = consumer.assignment()
        due = {partition: offset for partition, offset in self._next.items() if partition in ours}
        self._next, self._count = {}, 0
        self.waiting.clear()
        if not due:
            return
        try:
            await consumer.commit(due)
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
