"""Consume events from Kafka: one listener for each service runs the use cases.

An event's offset is committed after its effect. If the database or the broker is away, the
listener waits. A message that is itself at fault is tried a few times; then it becomes a dead
letter in `dead-letter.<service>`, with its original bytes and headers, and its partition goes on.
A service may process the fetched messages in batches (docs/decisions/034); then, too, only the
message at fault becomes a dead letter.

FastStream holds the subscription, hands over the messages and describes the subscription in the
AsyncAPI document. This module reads each message and processes it to the end.
"""

import asyncio
import contextlib
import logging
import time
from collections import Counter as Count
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, TypeAlias, TypeVar

import structlog
from aiokafka import (
    AIOKafkaConsumer,
    AIOKafkaProducer,
    ConsumerRebalanceListener,
    ConsumerRecord,
    TopicPartition,
)
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import (
    CommitFailedError,
    IllegalStateError,
    KafkaError,
    MessageSizeTooLargeError,
    TopicAlreadyExistsError,
    for_code,
)
from faststream import AckPolicy, BaseMiddleware, FastStream
from faststream.kafka import KafkaBroker
from faststream.prometheus.container import MetricsContainer
from faststream.prometheus.manager import MetricsManager
from faststream.prometheus.types import ProcessingStatus
from faststream.specification import AsyncAPI
from opentelemetry.trace import SpanKind
from prometheus_client import REGISTRY, Counter, Gauge
from pydantic import ValidationError

from shared.clock import parse_instant, wall_clock
from shared.contracts import Event, published, schema_uri
from shared.failpoint import failpoint
from shared.held import HeldMessage, HeldMessages, OperatorDecision
from shared.ids import new_id
from shared.mongo import Database, is_away
from shared.names import Names
from shared.owners import OwnerAway
from shared.progress import Progress
from shared.settings import Settings
from shared.telemetry import correlated
from shared.tracing import begin, fail, under
from shared.unit_of_work import Busy, Origin, Run, UnitOfWork

log = structlog.get_logger()

Record: TypeAlias = ConsumerRecord[Any, Any]
Apply = Callable[[Database, Sequence[Any]], Awaitable[None]]
H = TypeVar("H", bound=Callable[..., Any])

TRIES = 3
BATCH = 200
"""The largest number of messages in one batch."""
COMMIT_EVERY = 200
COMMIT_SECONDS = 0.2
FETCH_SECONDS = 0.005
REST_GROWTH = 1.2
"""Factor by which the pause between empty fetches grows."""
REST_LIMIT = 6
"""The longest pause between empty fetches, as a multiple of the shortest."""
PATIENCE_SECONDS = 60
STUCK_SECONDS = 15
LOOK_SECONDS = 5
POSITION_SECONDS = 0.1
NOWHERE = -1
"""Stands for the position of a partition that has none yet."""
MAX_POLL_INTERVAL_MS = 300_000
SESSION_TIMEOUT_MS = 10_000
HEARTBEAT_MS = 500
LAG_SECONDS = 1.0

BURIED = Counter("carrel_dead_letters_total", "Messages buried", ["topic"])
RETRIED = Counter("carrel_event_retries_total", "Tries after the first", ["topic", "reason"])

LAG = Gauge(
    "carrel_consumer_lag_events", "Events of this process's partitions to take in", ["topic"]
)


def dead_letter_topic(service: str) -> str:
    """Return the topic in which a service keeps its dead letters."""
    return f"dead-letter.{service}"


class Hears:
    """The subscriptions of a service: `@hears(BranchClosed, BranchReopened)` above a handler.

    A handler is `async def name(event, run)`. It runs one use case, or asks another service and
    then runs one. `run.now` is the event's business time.

    With `apply`, the fetched messages are processed in batches. Then a handler is
    `def name(event, origin)`: it returns the changes that an event of that origin makes, and raises
    ValueError for an event at fault. `apply` makes all changes of a batch; it must allow that some
    of them were made before, in any order.
    """

    def __init__(self, apply: Apply | None = None) -> None:
        self.apply = apply
        self.handlers: dict[str, tuple[type[Event], Callable[..., Any]]] = {}

    def __call__(self, *contracts: type[Event]) -> Callable[[H], H]:
        """Register a handler for each of these event types."""

        def register(handler: H) -> H:
            for contract in contracts:
                if contract.topic in self.handlers:
                    raise TypeError(f"{contract.topic} has two handlers")
                self.handlers[contract.topic] = (contract, handler)
            return handler

        return register

    def read(self, record: Record) -> tuple[Event, str, Origin]:
        """Return the event of a message, its id, and the origin of the work that it causes.

        Raises ValueError for a message at fault.
        """
        event_id, origin = _origin_of(record)
        contract, _ = self.handlers[record.topic]
        return contract.model_validate_json(record.value or b""), event_id, origin

    def changes(self, record: Record) -> Sequence[Any]:
        """Return the changes that a message makes, with `apply`. Raises ValueError for a fault."""
        event, _, origin = self.read(record)
        _, handler = self.handlers[record.topic]
        changes: Sequence[Any] = handler(event, origin)
        return changes


class Offsets(ConsumerRebalanceListener):  # type: ignore[misc]
    """The uncommitted offsets of processed messages, committed in batches."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._next: dict[TopicPartition, int] = {}
        self._count = 0
        self._refused_since: float | None = None
        self.consumer: AIOKafkaConsumer | None = None

    def began(self, consumer: AIOKafkaConsumer | None) -> None:
        """Commit with this consumer from now on."""
        self.consumer = consumer
        self._refused_since = None

    def done(self, record: Record) -> bool:
        """Note a processed message; return whether enough messages are done for a commit."""
        at = TopicPartition(record.topic, record.partition)
        self._next[self._names.partition_on_kafka(at)] = record.offset + 1
        self._count += 1
        return self._count >= COMMIT_EVERY

    async def flush(self) -> None:
        """Commit the offsets of processed messages.

        A message whose offset can't be committed is delivered again, which does no harm.
        """
        if not self._next or self.consumer is None:
            return
        # A partition that another replica has taken over meanwhile is not ours to commit.
        ours = self.consumer.assignment()
        due = {partition: offset for partition, offset in self._next.items() if partition in ours}
        self._next, self._count = {}, 0
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
            self._refused_since = self._refused_since or time.monotonic()
            return
        self._refused_since = None

    def refused_for(self) -> float:
        """Return the seconds since the first of the commits that failed in a row; 0 if none."""
        return 0.0 if self._refused_since is None else time.monotonic() - self._refused_since

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Commit before another replica takes the partitions over."""
        await self.flush()
        for partition in revoked:
            self._next.pop(partition, None)

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Do nothing: reading continues from the committed offsets."""


class _InHand:
    """A message that is being processed, and its span."""

    def __init__(self, record: Record) -> None:
        self.record = record
        headers = {
            name: (value or b"").decode("ascii", "replace") for name, value in record.headers
        }
        self._correlation_id = headers.get("ce_correlationid", "")
        self.span = begin(
            f"{record.topic} process",
            SpanKind.CONSUMER,
            headers=headers,
            attributes={
                "messaging.system": "kafka",
                "messaging.destination.name": record.topic,
                "messaging.destination.partition.id": str(record.partition),
                "messaging.kafka.offset": record.offset,
                "messaging.message.id": headers.get("ce_id", ""),
            },
        )

    @contextlib.contextmanager
    def told(self) -> Iterator[None]:
        """Attach the log lines and the spans of the block to this message."""
        with correlated(self._correlation_id), under(self.span):
            yield


_Fault = tuple[_InHand, Exception, int]
"""A message, its error, and the number of tries."""


class Listener:
    """Consumes the topics of one service, as a static member of the group with its name."""

    def __init__(
        self, service: str, settings: Settings, hears: Hears, unit_of_work: UnitOfWork
    ) -> None:
        self.service = service
        self._names = Names(settings.topic_prefix)
        self.offsets = Offsets(self._names)
        self._settings = settings
        self._hears = hears
        self._unit_of_work = unit_of_work
        self._state = "starting"
        self._stopping = False
        self._busy_since: float | None = None
        self._taken_in = 0
        self._alone = 0
        """The number of messages, from here on, that are processed one by one."""
        self._held = HeldMessages(unit_of_work.database)
        self._undertaker: AIOKafkaProducer | None = None
        logging.getLogger("faststream").setLevel(logging.WARNING)
        self.broker = KafkaBroker(
            settings.kafka.split(","),
            client_id=f"{service}-{settings.replica}",
            acks="all",
            enable_idempotence=True,
            allow_auto_create_topics=False,
            graceful_timeout=10.0,
            logger=None,
            middlewares=[self._middleware],
        )
        # FastStream's own middleware for metrics would see only the first message of each batch.
        self._metrics = MetricsManager(
            MetricsContainer(REGISTRY, metrics_prefix="carrel", custom_label_names=()),
            app_name=service,
        )
        for topic, contract in published(service).items():
            # Declared for the AsyncAPI document; the relay sends the messages.
            self.broker.publisher(
                self._names.on_kafka(topic),
                schema=contract,
                title=topic,
                description=contract.__doc__,
            )
        self._subscriber = None
        if hears.handlers:
            self._subscriber = self.broker.subscriber(
                *(self._names.on_kafka(topic) for topic in hears.handlers),
                group_id=self._names.on_kafka(service),
                group_instance_id=f"{service}-{settings.replica}",
                auto_offset_reset="earliest",
                ack_policy=AckPolicy.MANUAL,
                partition_assignment_strategy=(RoundRobinPartitionAssignor,),
                session_timeout_ms=SESSION_TIMEOUT_MS,
                heartbeat_interval_ms=HEARTBEAT_MS,
                max_poll_interval_ms=MAX_POLL_INTERVAL_MS,
                fetch_max_wait_ms=100,
                listener=self.offsets,
                no_reply=True,  # else a header of a message makes FastStream send a reply
                title=service,
            )
            for contract, handler in hears.handlers.values():
                self._subscriber(_described(contract, handler))

    def _middleware(self, msg: Any, /, *, context: Any) -> "_Delivery":
        return _Delivery(msg, context=context, listener=self)

    async def run(self) -> None:
        """Listen until cancelled, and wait for a broker that is away.

        The consumer is restarted if it can't commit for a long time or skips a partition. After a
        broker was away, aiokafka sometimes waits for metadata for ever, and fetches although it is
        no longer a member of the group; or it never fetches one of the partitions again.
        """
        while True:
            await self._start()
            resting = asyncio.create_task(self._rest_when_idle())
            reading = asyncio.create_task(self._read_all())
            try:
                reason = await self._commit_until_stuck(resting, reading)
                log.warning("listener starts again", reason=reason)
            finally:
                resting.cancel()
                reading.cancel()
                await self._stop()

    async def _commit_until_stuck(
        self, resting: asyncio.Task[None], reading: asyncio.Task[str]
    ) -> str:
        """Commit processed messages; return the reason why the consumer has to be restarted.

        Raises the exception of either task.
        """
        while not reading.done():
            await asyncio.sleep(COMMIT_SECONDS)
            if resting.done():
                resting.result()
            if not self._consumes():
                return "the consumer task has ended"
            try:
                async with asyncio.timeout(STUCK_SECONDS):
                    await self.offsets.flush()
            except TimeoutError:
                return "offsets can't be committed"
            if self.offsets.refused_for() >= STUCK_SECONDS:
                return "offsets can't be committed"
        return reading.result()

    async def _start(self) -> None:
        self._stopping = False
        pause = 0.2
        while True:
            try:
                await ensure_topics(self._settings)
                await self.broker.start()
                break
            except (KafkaError, OSError) as error:
                self._state = f"waiting for the broker ({type(error).__name__})"
                log.warning("listener waits", error=type(error).__name__, seconds=pause)
                await asyncio.sleep(pause)
                pause = min(pause * 2, 2.0)
        if self._subscriber is not None:
            self.offsets.began(self._subscriber.consumer)
        self._state = "listening"

    async def _read_all(self) -> str:
        """Watch the consumer until it skips a partition; return which one."""
        progress = Progress(STUCK_SECONDS)
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            # A consumer that waits for a database or another service reads nothing meanwhile.
            if self._busy_since is None and (seen := await self._seen()):
                passed_over = progress.look(time.monotonic(), *seen, self._taken_in)
                if passed_over:
                    return f"{passed_over[0].topic} {passed_over[0].partition} is not read"

    async def _seen(self) -> tuple[dict[TopicPartition, int], dict[TopicPartition, int]] | None:
        """Return the position and the end of each partition; None if the broker does not answer."""
        if self._subscriber is None or self._subscriber.consumer is None:
            return None
        consumer = self._subscriber.consumer
        positions = {}
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                ends = await consumer.end_offsets(consumer.assignment())
            for partition in ends:
                positions[partition] = NOWHERE
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(POSITION_SECONDS):
                        positions[partition] = await consumer.position(partition)
        except (KafkaError, TimeoutError):
            return None
        return positions, ends

    async def _rest_when_idle(self) -> None:
        """Pause between empty fetches for a broker that answers them at once.

        aiokafka sends a fetch again as soon as it is answered, which with noida-db keeps a core
        busy. There is no pause while there is more to read: aiokafka throws away what arrives in a
        pause, and would throw away every answer that takes longer than FETCH_SECONDS. Each pause
        is longer than the one before, until an event arrives.
        """
        shortest = rest = self._settings.idle_poll_ms / 1000
        while rest and self._subscriber is not None and self._subscriber.consumer is not None:
            consumer, taken = self._subscriber.consumer, self._taken_in
            consumer.resume(*consumer.paused())
            await asyncio.sleep(FETCH_SECONDS)
            idle = self._busy_since is None and taken == self._taken_in
            if not idle:
                rest = shortest
            elif not await _knows_of_more(consumer):
                consumer.pause(*consumer.assignment())
                await asyncio.sleep(rest)
                rest = min(rest * REST_GROWTH, shortest * REST_LIMIT)

    async def _stop(self) -> None:
        """Finish the current message, commit, and leave the group."""
        self._stopping = True
        consumer = self._subscriber.consumer if self._subscriber else None
        if consumer is not None:
            consumer.pause(*consumer.assignment())
            deadline = time.monotonic() + 5
            # There is no event for the end of the current message.
            while self._busy_since is not None and time.monotonic() < deadline:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(3):
                    await self.offsets.flush()
            # A static member keeps its partitions when it stops: right for a process that is killed
            # and comes back, wrong for one that is asked to stop. aiokafka leaves the group only
            # for members that are not static; tests/faults/test_rebalance.py checks that it works.
            consumer._coordinator._group_instance_id = None  # noqa: SLF001
        self._state = "stopped"
        with contextlib.suppress(Exception):
            async with asyncio.timeout(10):
                await self.broker.stop()
        await self._dismiss_undertaker()

    def _consumes(self) -> bool:
        """Return whether FastStream's own task still reads."""
        return self._subscriber is None or any(not task.done() for task in self._subscriber.tasks)

    def health(self) -> tuple[bool, str]:
        """Return whether the consumer is alive, and a text that says what it is doing."""
        if self._state != "listening" or self._subscriber is None:
            return True, self._state
        if not self._consumes():
            return False, "the consumer task has ended"
        if self._busy_since and time.monotonic() - self._busy_since > 2 * PATIENCE_SECONDS:
            return False, "one message has been in hand for minutes"
        return True, "listening"

    def held(self) -> list[HeldMessage]:
        """Return the messages that have held a partition of this process for minutes."""
        consumer = self._subscriber.consumer if self._subscriber else None
        ours = consumer.assignment() if consumer else ()
        return self._held.reported(self._names.by_partition(dict.fromkeys(ours)))

    async def measure_lag(self) -> None:
        """Set the lag metric by topic; clear it while the broker is away."""
        consumer = self._subscriber.consumer if self._subscriber else None
        if consumer is None:
            return
        lags: dict[str, int] = {}
        with contextlib.suppress(TimeoutError, KafkaError, IllegalStateError):
            async with asyncio.timeout(LAG_SECONDS):
                # Not by the highwater mark, which dates from the last fetch: no fetch takes place
                # while one message is processed for a long time.
                for partition, end in (await consumer.end_offsets(consumer.assignment())).items():
                    behind = end - await consumer.position(partition)
                    topic = self._names.topic(partition.topic)
                    lags[topic] = lags.get(topic, 0) + max(behind, 0)
        LAG.clear()  # also topics whose partitions went to another replica
        for topic, lag in lags.items():
            LAG.labels(topic).set(lag)

    def specification(self) -> Any:
        """Return the AsyncAPI document of the events that this service publishes and consumes."""
        app = FastStream(self.broker, specification=AsyncAPI(title=self.service, version="1.0.0"))
        return app.schema.to_specification().to_jsonable()

    async def take_in(self, first: Record, unreadable: Exception | None = None) -> None:
        """Process a message, and with `apply` also the other messages that were fetched.

        Each message is processed, becomes a dead letter, or is put back to be read again.
        `unreadable` is the reason why FastStream could not read it.
        """
        self._busy_since = started = time.monotonic()
        records = [first] if unreadable is not None else [first, *await self._more()]
        batch = [_InHand(self._names.record(record)) for record in records]
        topics = Count(message.record.topic for message in batch)
        try:
            failpoint("listener.received")
            self._count_in(batch, topics)
            with batch[0].told():
                await self._take_in(batch, unreadable)
        finally:
            self._busy_since = None
            self._taken_in += len(batch)
            self._count_out(topics, time.monotonic() - started)
            for message in batch:
                message.span.end()

    async def _more(self) -> list[Record]:
        """Return the other messages that were fetched already, without waiting for any."""
        consumer = self._subscriber.consumer if self._subscriber else None
        if self._hears.apply is None or consumer is None:
            return []
        if self._alone:
            self._alone -= 1
            return []
        found: list[Record] = []
        # One by one: when getmany meets a damaged message, aiokafka loses those that it read before
        # it. A message that getone can't return now, FastStream gets as an error.
        with contextlib.suppress(Exception):
            async with asyncio.timeout(0):
                while len(found) < BATCH - 1:
                    found.append(await consumer.getone())
        return found

    async def _take_in(self, batch: Sequence[_InHand], unreadable: Exception | None) -> None:
        changes: list[Any] = []
        good: list[_InHand] = []
        at_fault: list[_Fault] = []
        for message in batch:
            try:
                if unreadable is not None:
                    raise unreadable
                changes += self._changes(message.record)
                good.append(message)
            except Exception as error:  # noqa: BLE001 - every error is handled here
                at_fault.append((message, error, 1))
        if good and not await self._apply(changes, good, at_fault):
            self._put_back(batch)
            return
        for message in good:
            with message.told():
                log.debug("taken in", topic=message.record.topic, offset=message.record.offset)
        for message, fault, tries in at_fault:
            with message.told():
                fail(message.span, type(fault).__name__)
                await self.bury(message.record, fault, tries)
        failpoint("listener.taken-in")
        await self._held.done(message.record for message in batch)
        due = [self.offsets.done(message.record) for message in batch]
        if any(due):
            await self.offsets.flush()

    def _changes(self, record: Record) -> Sequence[Any]:
        """Return the changes of a message; for a service without `apply`, one call to make."""
        if self._hears.apply is not None:
            return self._hears.changes(record)
        event, event_id, origin = self._hears.read(record)
        _, handler = self._hears.handlers[record.topic]
        work = self._unit_of_work
        return [lambda: handler(event, Run(work, origin, inbox=event_id, within=30.0))]

    async def _apply(
        self, changes: Sequence[Any], good: list[_InHand], at_fault: list[_Fault]
    ) -> bool:
        """Make the changes of the `good` messages; return False if all are to be put back.

        A message that turns out to be at fault moves from `good` to `at_fault`.
        """
        apply = self._hears.apply or _call
        topic = good[0].record.topic
        started = time.monotonic()
        tries = 0
        pause = 0.1
        while True:
            try:
                await apply(self._unit_of_work.database, changes)
                return True
            except Exception as error:  # noqa: BLE001 - every error is handled here
                about = {"messages": len(good), "error": type(error).__name__}
                if not is_at_fault(error):
                    RETRIED.labels(topic, "away").inc()
                    log.warning("waiting", topic=topic, **about)
                    if len(good) == 1 and await self._held.given_up(good[0].record):
                        at_fault.append((good.pop(), OperatorDecision(), 1))
                        return True
                    if self._stopping:
                        return False
                    if time.monotonic() - started >= PATIENCE_SECONDS:
                        await self._held.note(good[0].record, describe(error))
                        return False
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, 2.0)
                    continue
                if len(good) > 1:
                    # Each message gets its own tries and its own time once it is processed alone.
                    log.warning("taken apart", **about)
                    self._alone = len(good) + len(at_fault)
                    return False
                tries += 1
                if tries >= TRIES or isinstance(error, ValueError):
                    at_fault.append((good.pop(), error, tries))
                    return True
                RETRIED.labels(topic, "fault").inc()
                await asyncio.sleep(0.1 * 4**tries)

    def _put_back(self, batch: Sequence[_InHand]) -> None:
        """Read these messages again later: their partitions must not move past them."""
        consumer = self._subscriber.consumer if self._subscriber else None
        if consumer is None:
            return
        first: dict[TopicPartition, int] = {}
        for record in (message.record for message in batch):
            at = TopicPartition(record.topic, record.partition)
            first.setdefault(self._names.partition_on_kafka(at), record.offset)
        for partition, offset in first.items():
            with contextlib.suppress(IllegalStateError):
                consumer.seek(partition, offset)

    def _count_in(self, batch: Sequence[_InHand], topics: Count[str]) -> None:
        for topic, count in topics.items():
            self._metrics.add_received_message("kafka", topic, count)
            self._metrics.add_received_message_in_process("kafka", topic, count)
        for record in (message.record for message in batch):
            size = len(record.value or b"")
            self._metrics.observe_received_messages_size("kafka", record.topic, size)

    def _count_out(self, topics: Count[str], seconds: float) -> None:
        for topic, count in topics.items():
            self._metrics.remove_received_message_in_process("kafka", topic, count)
            done = ProcessingStatus.acked
            self._metrics.add_received_processed_message("kafka", topic, done, count)
            for _ in range(count):
                self._metrics.observe_received_processed_message_duration(seconds, "kafka", topic)

    async def bury(self, record: Record, error: Exception, tries: int) -> None:
        """Send a message to the dead-letter topic; wait as long as the broker is away."""
        reason = describe(error)
        burial = _burial(record, reason, tries)
        # aiokafka sends no message without key and value: an empty value replaces both.
        value = b"" if record.value is None and record.key is None else record.value
        letter = {"value": value, "key": record.key, "headers": [*record.headers, *burial]}
        while True:
            try:
                producer = await self._undertaking()
                topic = self._names.on_kafka(dead_letter_topic(self.service))
                await producer.send_and_wait(topic, **letter)
                break
            except MessageSizeTooLargeError:
                # The partition must go on; the dead letter names the place of the message.
                letter = {"value": b"", "headers": [*burial, (LEFT_OUT, b"too large")]}
            except Exception as failure:  # noqa: BLE001 - the message must not be lost
                log.warning("can't bury yet", error=type(failure).__name__)
                # A producer whose sequence number was refused is refused every later message too.
                await self._dismiss_undertaker()
                await asyncio.sleep(1)
        BURIED.labels(record.topic).inc()
        log.error(
            "buried",
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            error=reason,
            tries=tries,
        )

    async def _undertaking(self) -> AIOKafkaProducer:
        if self._undertaker is None:
            producer = AIOKafkaProducer(
                bootstrap_servers=self._settings.kafka.split(","),
                client_id=f"{self.service}-{self._settings.replica}-undertaker",
                acks="all",
                enable_idempotence=True,
                max_request_size=DEAD_LETTER_BYTES,
            )
            await producer.start()
            self._undertaker = producer
        return self._undertaker

    async def _dismiss_undertaker(self) -> None:
        dismissed, self._undertaker = self._undertaker, None
        if dismissed is not None:
            await dismissed.stop()


class _Delivery(BaseMiddleware):
    """Takes every message from FastStream, also one that FastStream can't read."""

    def __init__(self, msg: Any, /, *, context: Any, listener: Listener) -> None:
        super().__init__(msg, context=context)
        self._listener = listener

    async def consume_scope(
        self,
        call_next: Any,  # noqa: ARG002 - the signature is FastStream's; it would decode and call
        msg: Any,
    ) -> Any:
        await self._listener.take_in(msg.raw_message)

    async def after_processed(
        self,
        exc_type: Any = None,  # noqa: ARG002 - as above
        exc_val: Any = None,
        exc_tb: Any = None,  # noqa: ARG002 - as above
    ) -> bool | None:
        """Make a dead letter of a message that failed before that (headers that are not text)."""
        if isinstance(exc_val, Exception):
            await self._listener.take_in(self.msg, unreadable=exc_val)
            return True
        return None


def _described(contract: type[Event], handler: Callable[..., Any]) -> Callable[..., Any]:
    """Return a handler that FastStream describes in the AsyncAPI document and never calls."""

    async def described(event: Any) -> None: ...

    described.__annotations__ = {"event": contract, "return": None}
    described.__name__ = handler.__name__
    described.__doc__ = handler.__doc__
    return described


async def _call(_: Database, calls: Sequence[Callable[[], Awaitable[None]]]) -> None:
    for call in calls:
        await call()


async def _knows_of_more(consumer: AIOKafkaConsumer) -> bool:
    """Return whether the broker has reported more messages than were read."""
    with contextlib.suppress(TimeoutError, KafkaError):
        async with asyncio.timeout(POSITION_SECONDS):
            for partition in consumer.assignment():
                end = consumer.highwater(partition)
                if end is not None and await consumer.position(partition) < end:
                    return True
    return False


def is_at_fault(error: Exception) -> bool:
    """Return whether the message is at fault, not a database, broker or service that is away."""
    return not (is_away(error) or isinstance(error, OwnerAway | Busy | KafkaError))


def describe(error: Exception) -> str:
    """Describe an error without any value of the message, because it must not reach the log."""
    if isinstance(error, ValidationError):
        faults = error.errors(include_input=False, include_url=False, include_context=False)
        text = "; ".join(
            f"{'.'.join(str(part) for part in fault['loc'])}: {fault['type']}"
            for fault in faults[:5]
        )
        return f"invalid: {text}"
    code = getattr(error, "code", None)
    if isinstance(code, str):
        return f"refused: {code}"
    return f"{type(error).__module__}.{type(error).__name__}"


def _burial(record: Record, reason: str, tries: int) -> list[tuple[str, bytes]]:
    """Return the headers that a dead letter has besides those of its message."""
    told = {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "error": reason,
        "tries": tries,
        "buried-at": wall_clock().isoformat(),
    }
    return [(f"carrel-{name}", str(value).encode()) for name, value in told.items()]


def _origin_of(record: Record) -> tuple[str, Origin]:
    """Return the event's id and the origin of its work. Raises ValueError for bad headers."""
    if any(value is None for _, value in record.headers):
        raise ValueError("a header has no value")
    headers = {name: value.decode() for name, value in record.headers}
    event_id, instant = headers.get("ce_id", ""), headers.get("ce_time", "")
    if not event_id or not instant:
        raise ValueError("the headers ce_id and ce_time are missing")
    # Another type, or a later version, may look like ours and mean something else.
    ours = {
        "ce_type": (record.topic,),
        # Events that were recorded before the first form was used have the second.
        "ce_dataschema": (schema_uri(record.topic), f"{record.topic}.v1"),
    }
    if any(headers.get(name, forms[0]) not in forms for name, forms in ours.items()):
        raise ValueError("the message is of another type or version than its topic")
    origin = Origin(
        now=parse_instant(instant),
        correlation_id=headers.get("ce_correlationid") or new_id(),
        causation_id=event_id,
    )
    return event_id, origin


SERVICES = ("accounts", "circulation", "events", "notices", "gateway")
DEAD_LETTER_BYTES = 16 * 1024 * 1024
LEFT_OUT = "carrel-left-out"
"""Header of a dead letter without its message, which was larger than DEAD_LETTER_BYTES."""


def all_topics() -> list[str]:
    """Return every topic of the system: the event types and the dead-letter topics."""
    return [*published(), *(dead_letter_topic(service) for service in SERVICES)]


def declared_topics(settings: Settings) -> list[NewTopic]:
    """Return every topic with the settings to create it with; existing topics keep theirs."""
    names = Names(settings.topic_prefix)
    safe = {
        "min.insync.replicas": "2" if settings.replication >= 3 else "1",
        # An event has the time of its recording. Kafka 4 refuses one more than an hour ahead, and a
        # service whose clock was wrong could publish nothing until that time came.
        "message.timestamp.after.max.ms": str(2**63 - 1),
    }
    events = {**safe, "retention.ms": str(settings.retention_days * 86_400_000)}
    # A dead letter waits for a person without limit, and is larger than its message was.
    letters = {**safe, "retention.ms": "-1", "max.message.bytes": str(DEAD_LETTER_BYTES)}
    return [
        NewTopic(
            names.on_kafka(topic),
            num_partitions=settings.partitions,
            replication_factor=settings.replication,
            topic_configs=events if topic in published() else letters,
        )
        for topic in all_topics()
    ]


async def ensure_topics(settings: Settings) -> list[str]:
    """Create the missing topics; return which. Other processes may do the same at once.

    Raises KafkaError if the broker refuses a topic, for example with too few brokers for its
    replicas.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka.split(","))
    await admin.start()
    try:
        existing = set(await admin.list_topics())
        missing = [topic for topic in declared_topics(settings) if topic.name not in existing]
        if missing:
            answer = await admin.create_topics(missing)
            # The broker refuses each topic separately, and aiokafka raises nothing by itself.
            for topic, code, *reason in answer.topic_errors:
                if code not in (0, TopicAlreadyExistsError.errno):
                    raise for_code(code)(f"{topic}: {reason[0] if reason else 'refused'}")
        return [topic.name for topic in missing]
    finally:
        await admin.close()
