"""The processing of fetched messages: each has its effect, becomes a dead letter, or is put back.

An event's offset is committed after its effect. Fetched messages are processed in batches
(docs/decisions/034 and 185); even so, only the message at fault becomes a dead letter.
"""

import asyncio
import contextlib
import logging
import time
from collections import Counter as Count
from collections.abc import Callable, Sequence
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import IllegalStateError
from faststream.prometheus.container import MetricsContainer
from faststream.prometheus.manager import MetricsManager
from faststream.prometheus.types import ProcessingStatus
from prometheus_client import REGISTRY, Counter

from shared.bus.dead_letters import DEAD_LETTERS, DeadLetters, describe
from shared.bus.held import HeldMessages, OperatorDecision
from shared.bus.messages import Message
from shared.bus.offsets import Offsets
from shared.bus.subscriptions import Record, Subscriptions
from shared.bus.together import Call, handle
from shared.failpoint import failpoint
from shared.names import Names
from shared.settings import Settings
from shared.tracing import fail
from shared.unit_of_work import UnitOfWork

log = structlog.get_logger()

BATCH = 200
"""The largest number of messages in one batch whose changes are applied in one bulk write."""
TOGETHER = 25
"""The same of messages that are handled together, whose transaction holds what each of them writes.

Commands that write the same meanwhile have to try again.
"""

NOTED_SECONDS = 1.0
"""Seconds of waiting from which a message is noted as held, for operators."""

RETRIED = Counter("carrel_event_retries_total", "Tries after the first", ["topic", "reason"])

_Fault = tuple[Message, Exception, int]
"""A message, its error, and the number of tries."""


class Processor:
    """Processes the messages of one service."""

    def __init__(
        self,
        service: str,
        settings: Settings,
        subscriptions: Subscriptions,
        unit_of_work: UnitOfWork,
        consumer: Callable[[], AIOKafkaConsumer | None],
    ) -> None:
        self._names = Names(settings.topic_prefix)
        self._subscriptions = subscriptions
        self._unit_of_work = unit_of_work
        self._consumer = consumer
        self.offsets = Offsets(self._names)
        """The offsets of the present consumer."""
        self.held = HeldMessages(unit_of_work.database)
        self.dead_letters = DeadLetters(service, settings)
        for topic in subscriptions.by_topic:  # from zero on: the first of each is an increase
            DEAD_LETTERS.labels(topic)
            for reason in ("away", "fault"):
                RETRIED.labels(topic, reason)
        self.stopping = False
        """True: a message that waits is put back, so that the process can stop."""
        self.busy_since: float | None = None
        """Start of the messages in progress, by the monotonic clock; None if there are none."""
        self.processed = 0
        """The number of messages processed since the start."""
        self._alone = 0
        """The number of messages, from here on, that are processed one by one."""
        # FastStream's own middleware for metrics would see only the first message of each batch.
        self._measures = MetricsContainer(REGISTRY, metrics_prefix="carrel", custom_label_names=())
        self._metrics = MetricsManager(self._measures, app_name=service)
        self._labels = {"app_name": service, "broker": "kafka"}

    def begin(self) -> None:
        """Process for a new consumer."""
        self.offsets = Offsets(self._names)
        self.stopping = False

    async def process(self, first: Record, unreadable: Exception | None = None) -> None:
        """Process a message, and the other messages that were fetched with it.

        `unreadable` is the reason why FastStream could not read the message.
        """
        self.busy_since = started = time.monotonic()
        records = [first] if unreadable is not None else [first, *await self._more()]
        batch = [Message(self._names.record(record)) for record in records]
        topics = Count(message.record.topic for message in batch)
        try:
            failpoint("listener.received")
            self._count_in(batch, topics)
            with batch[0].attached():
                await self._process(batch, unreadable)
        finally:
            self.busy_since = None
            self.processed += len(batch)
            self._count_out(topics, time.monotonic() - started)
            for message in batch:
                message.span.end()

    async def _more(self) -> list[Record]:
        """Return the other messages that were fetched already, without waiting for any."""
        consumer = self._consumer()
        if consumer is None:
            return []
        if self._alone:
            self._alone -= 1
            return []
        found: list[Record] = []
        most = TOGETHER if self._subscriptions.apply is None else BATCH
        # One by one: when getmany meets a damaged message, aiokafka loses those that it read before
        # it. A message that getone can't return now, FastStream gets as an error.
        with contextlib.suppress(Exception):
            async with asyncio.timeout(0):
                while len(found) < most - 1:
                    found.append(await consumer.getone())
        return found

    async def _process(self, batch: Sequence[Message], unreadable: Exception | None) -> None:
        changes: list[Any] = []
        good: list[Message] = []
        at_fault: list[_Fault] = []
        for message in batch:
            try:
                if unreadable is not None:
                    raise unreadable
                changes += self._changes(message)
                good.append(message)
            except Exception as error:  # noqa: BLE001 - every error is handled here
                at_fault.append((message, error, 1))
        if good and not await self._apply(changes, good, at_fault):
            self._put_back(batch)
            return
        if log.is_enabled_for(logging.DEBUG):
            for message in good:
                with message.attached():
                    log.debug("processed", topic=message.record.topic, offset=message.record.offset)
        for message, fault, tries in at_fault:
            with message.attached():
                fail(message.span, type(fault).__name__)
                await self.dead_letters.send(message.record, fault, tries)
        failpoint("listener.processed")
        await self.held.done(message.record for message in batch)
        due = [self.offsets.done(message.record) for message in batch]
        if any(due):
            await self.offsets.flush()

    def _changes(self, message: Message) -> Sequence[Any]:
        """Return the changes of a message; for a service without `apply`, one call to make."""
        if self._subscriptions.apply is not None:
            return self._subscriptions.changes(message.record)
        event, _, origin = self._subscriptions.read(message.record)
        handler = self._subscriptions.by_topic[message.record.topic].handler
        return [Call(message, handler, event, origin)]

    async def _apply(
        self, changes: Sequence[Any], good: list[Message], at_fault: list[_Fault]
    ) -> bool:
        """Make the changes of the `good` messages; return False if all are to be put back.

        A message that turns out to be at fault moves from `good` to `at_fault`. The first message's
        subscription says how the batch waits; a message at fault is retried alone, by its own.
        """
        apply = self._subscriptions.apply
        topic = good[0].record.topic
        retry = self._subscriptions.by_topic[topic].retry
        waits = retry.waits()
        started = time.monotonic()
        tries = attempts = 0
        noted = False
        while True:
            attempts += 1
            try:
                if apply is None:
                    await handle(self._unit_of_work, changes)
                else:
                    await apply(self._unit_of_work.database, changes)
                return True
            except Exception as error:  # noqa: BLE001 - every error is handled here
                about = {"messages": len(good), "error": type(error).__name__}
                # Messages that are handled together wait alone: each for what it needs.
                if retry.is_transient(error) and (apply is not None or len(good) == 1):
                    RETRIED.labels(topic, "away").inc()
                    log.warning("waiting", topic=topic, **about)
                    if len(good) == 1 and await self.held.given_up(good[0].record):
                        at_fault.append((good.pop(), OperatorDecision(), 1))
                        return True
                    waited = time.monotonic() - started
                    if len(good) == 1 and retry.gives_up(error, waited):
                        at_fault.append((good.pop(), error, attempts))
                        return True
                    if not noted and waited >= min(NOTED_SECONDS, retry.patience):
                        await self.held.note(good[0].record, describe(error))
                        noted = True
                    if self.stopping or waited >= retry.patience:
                        return False
                    await asyncio.sleep(next(waits))
                    continue
                if len(good) > 1:
                    # Each message gets its own tries and its own time once it is processed alone.
                    log.warning("batch split", **about)
                    self._alone = len(good) + len(at_fault)
                    return False
                tries += 1
                pause = retry.pause_after(tries, error)
                if pause is None:
                    at_fault.append((good.pop(), error, tries))
                    return True
                RETRIED.labels(topic, "fault").inc()
                await asyncio.sleep(pause)

    def _put_back(self, batch: Sequence[Message]) -> None:
        """Read these messages again later: their partitions must not move past them."""
        consumer = self._consumer()
        if consumer is None:
            return
        first: dict[TopicPartition, int] = {}
        for record in (message.record for message in batch):
            at = TopicPartition(record.topic, record.partition)
            first.setdefault(self._names.partition_on_kafka(at), record.offset)
        for partition, offset in first.items():
            with contextlib.suppress(IllegalStateError):
                consumer.seek(partition, offset)

    def _count_in(self, batch: Sequence[Message], topics: Count[str]) -> None:
        for topic, count in topics.items():
            self._metrics.add_received_message("kafka", topic, count)
            self._metrics.add_received_message_in_process("kafka", topic, count)
        # The labels of a topic once for each batch: to look them up costs more than to observe.
        size = self._measures.received_messages_size_bytes
        sizes = {topic: size.labels(handler=topic, **self._labels) for topic in topics}
        for record in (message.record for message in batch):
            sizes[record.topic].observe(len(record.value or b""))

    def _count_out(self, topics: Count[str], seconds: float) -> None:
        for topic, count in topics.items():
            self._metrics.remove_received_message_in_process("kafka", topic, count)
            done = ProcessingStatus.acked
            self._metrics.add_received_processed_message("kafka", topic, done, count)
            duration = self._measures.received_processed_messages_duration_seconds
            durations = duration.labels(handler=topic, **self._labels)
            for _ in range(count):
                durations.observe(seconds)
