"""The processing of fetched messages: each has its effect, becomes a dead letter, or is put back.

FastStream calls `receive`, its parser, for each message that its consumer returns, and then
`process`, its handler. It acknowledges a batch after `process`, so an event's offset is committed
after its effect. Messages are processed in batches (docs/decisions/241 and 185); even so, only the
message at fault becomes a dead letter.
"""

import asyncio
import contextlib
import logging
import time
from collections import Counter as Count
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer
from faststream.exceptions import NackMessage
from faststream.prometheus.container import MetricsContainer
from faststream.prometheus.manager import MetricsManager
from faststream.prometheus.types import ProcessingStatus
from prometheus_client import REGISTRY, Counter, Histogram

from shared.bus.dead_letters import DEAD_LETTERS, DeadLetters, describe
from shared.bus.held import HeldMessages, OperatorDecision
from shared.bus.messages import Batch, Message
from shared.bus.offsets import Offsets
from shared.bus.subscriptions import Record, Subscriptions
from shared.bus.together import Call, handle
from shared.clock import wall_clock
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
AGE = Histogram(
    "carrel_event_age_seconds",
    "Time from the commit of an event to the end of its processing",
    buckets=(0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0),
)

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
        self.offsets = Offsets(consumer)
        """The offsets of the present consumer."""
        self.held = HeldMessages(unit_of_work.database)
        self.dead_letters = DeadLetters(service, settings, unit_of_work.database)
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
        self.offsets = Offsets(self._consumer)
        self.stopping = False

    def stop(self) -> None:
        """Put back a message that waits, and commit the next messages at once."""
        self.stopping = self.offsets.at_once = True

    async def receive(self, first: Record) -> Batch:
        """Return a message and those that were fetched with it, without waiting for any.

        One by one: when aiokafka's getmany, and so FastStream's batch subscriber, meets a record
        that can't be read, the messages that it took from other partitions are lost (decision 241).
        """
        records = [first]
        most = TOGETHER if self._subscriptions.apply is None else BATCH
        consumer = self._consumer()
        if self._alone or consumer is None:
            self._alone = max(self._alone - 1, 0)
            return Batch(records, self.offsets)
        # A message that getone can't return now, FastStream gets as an error.
        with contextlib.suppress(Exception):
            async with asyncio.timeout(0):
                while len(records) < most:
                    records.append(await consumer.getone())
        return Batch(records, self.offsets)

    async def process(self, records: Sequence[Record]) -> None:
        """Process the messages of a batch. Raises NackMessage if all are to be read again."""
        batch = [Message(self._names.record(record)) for record in records]
        with self._measured([message.record for message in batch]), batch[0].attached():
            failpoint("listener.received")
            try:
                for message, fault, tries in await self._have_effect(batch):
                    with message.attached():
                        fail(message.span, type(fault).__name__)
                        await self.dead_letters.send(message.record, fault, tries)
                failpoint("listener.processed")
                await self.held.done(message.record for message in batch)
            finally:
                for message in batch:
                    message.span.end()

    async def _have_effect(self, batch: Sequence[Message]) -> list[_Fault]:
        """Make the changes of the messages; return those at fault, which have changed nothing."""
        changes: list[Any] = []
        good: list[Message] = []
        at_fault: list[_Fault] = []
        for message in batch:
            try:
                changes += self._changes(message)
                good.append(message)
            except Exception as error:  # noqa: BLE001 - every error is handled here
                at_fault.append((message, error, 1))
        if good and (fault := await self._change(changes, good, len(batch))):
            at_fault.append(fault)
            good = []
        if log.is_enabled_for(logging.DEBUG):
            for message in good:
                with message.attached():
                    log.debug("processed", topic=message.record.topic, offset=message.record.offset)
        return at_fault

    def _changes(self, message: Message) -> Sequence[Any]:
        """Return the changes of a message; for a service without `apply`, one call to make."""
        if self._subscriptions.apply is not None:
            return self._subscriptions.changes(message.record)
        event, _, origin = self._subscriptions.read(message.record)
        handler = self._subscriptions.by_topic[message.record.topic].handler
        return [Call(message, handler, event, origin)]

    async def _change(
        self, changes: Sequence[Any], good: Sequence[Message], batch: int
    ) -> _Fault | None:
        """Make changes; return the only message if it turns out to be at fault.

        The first message's subscription says how all wait. Several that can't be handled together
        are put back, so that each gets its own tries and its own time.
        """
        apply, record = self._subscriptions.apply, good[0].record
        retry = self._subscriptions.by_topic[record.topic].retry
        waits = retry.waits()
        started = time.monotonic()
        attempts = faults = 0
        noted, alone = False, len(good) == 1
        while True:
            attempts += 1
            try:
                if apply is None:
                    await handle(self._unit_of_work, changes)
                else:
                    await apply(self._unit_of_work.database, changes)
                return None
            except Exception as error:
                about = {"messages": len(good), "error": type(error).__name__}
                if retry.is_transient(error) and (alone or apply is not None):
                    RETRIED.labels(record.topic, "away").inc()
                    log.warning("waiting", topic=record.topic, **about)
                    waited = time.monotonic() - started
                    if alone and await self.held.given_up(record):
                        return good[0], OperatorDecision(), 1
                    if alone and retry.gives_up(error, waited):
                        return good[0], error, attempts
                    if not noted and waited >= min(NOTED_SECONDS, retry.patience):
                        await self.held.note(record, describe(error))
                        noted = True
                    if self.stopping or waited >= retry.patience:
                        raise NackMessage from error
                    pause = next(waits)
                elif not alone:
                    log.warning("batch split", **about)
                    self._alone = batch
                    raise NackMessage from error
                else:
                    faults += 1
                    rest = retry.pause_after(faults, error)
                    if rest is None:
                        return good[0], error, faults
                    RETRIED.labels(record.topic, "fault").inc()
                    pause = rest
            await asyncio.sleep(pause)

    @contextlib.contextmanager
    def _measured(self, records: Sequence[Record]) -> Iterator[None]:
        """Measure the processing of messages, each by itself."""
        self.busy_since = started = time.monotonic()
        topics = Count(record.topic for record in records)
        measures = self._measures
        for topic, count in topics.items():
            self._metrics.add_received_message("kafka", topic, count)
            self._metrics.add_received_message_in_process("kafka", topic, count)
        # The labels of a topic once for each batch: to look them up costs more than to observe.
        labels = {topic: {"handler": topic, **self._labels} for topic in topics}
        size = measures.received_messages_size_bytes
        sizes = {topic: size.labels(**labels[topic]) for topic in topics}
        for record in records:
            sizes[record.topic].observe(len(record.value or b""))
        try:
            yield
        finally:
            self.busy_since = None
            self.processed += len(records)
            for topic, count in topics.items():
                self._metrics.remove_received_message_in_process("kafka", topic, count)
                done = ProcessingStatus.acked
                self._metrics.add_received_processed_message("kafka", topic, done, count)
                duration = measures.received_processed_messages_duration_seconds
                durations = duration.labels(**labels[topic])
                for _ in range(count):
                    durations.observe(time.monotonic() - started)
            now = wall_clock().timestamp()
            for record in records:
                AGE.observe(max(now - record.timestamp / 1000, 0.0))
