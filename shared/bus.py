"""From Kafka to the use cases: one listener for each service.

An event's offset is committed after its effect. A database or broker that is away is waited for;
a message that is itself at fault is tried a few times and then buried in `dead-letter.<service>`
with its original bytes and headers, and its partition goes on. A service may take in what has come
by the batch (docs/decisions/034); of that, too, only what is at fault is buried.

FastStream holds the subscription, hands over what is read, and describes what is heard; reading a
message and carrying it to its end is done here.
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
from shared.contracts import Event, published
from shared.failpoint import failpoint
from shared.ids import new_id
from shared.mongo import Database, is_away
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
"""The most that is taken in at once."""
COMMIT_EVERY = 200
COMMIT_SECONDS = 0.2
FETCH_SECONDS = 0.005
PATIENCE_SECONDS = 60
STUCK_SECONDS = 15
LOOK_SECONDS = 5
POSITION_SECONDS = 0.1
NOWHERE = -1
"""The position of a partition that has none yet."""
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
    """Where a service buries the messages that it can't take in."""
    return f"dead-letter.{service}"


class Hears:
    """What a service hears: `@hears(BranchClosed, BranchReopened)` above a handler.

    A handler is `async def name(event, run)`: it runs one use case, or asks another service and
    then runs one. `run.now` is the event's business time.

    With `apply` what has come is taken in by the batch. A handler, `def name(event, origin)`, then
    gives what an event of that origin changes, and raises ValueError for one at fault.
    `apply` makes all changes of a batch, and bears that it made some of them before, in any order.
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
        """The event of a message, its id, and the origin of what it causes.

        Raises ValueError for a message at fault.
        """
        event_id, origin = _origin_of(record)
        contract, _ = self.handlers[record.topic]
        return contract.model_validate_json(record.value or b""), event_id, origin

    def changes(self, record: Record) -> Sequence[Any]:
        """What a message changes, where there is an `apply`. Raises ValueError for one at fault."""
        event, _, origin = self.read(record)
        _, handler = self.handlers[record.topic]
        changes: Sequence[Any] = handler(event, origin)
        return changes


class Offsets(ConsumerRebalanceListener):  # type: ignore[misc]
    """What has been taken in but not committed yet, committed in batches."""

    def __init__(self) -> None:
        self._next: dict[TopicPartition, int] = {}
        self._count = 0
        self.consumer: AIOKafkaConsumer | None = None

    def done(self, record: Record) -> bool:
        """Note a finished message; says whether a commit is due by count."""
        self._next[TopicPartition(record.topic, record.partition)] = record.offset + 1
        self._count += 1
        return self._count >= COMMIT_EVERY

    async def flush(self) -> None:
        """Commit what is finished. What can't be committed is delivered again, and borne."""
        if not self._next or self.consumer is None:
            return
        # What another replica has taken over meanwhile is not ours to commit.
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
        except KafkaError as error:
            log.warning("offsets not committed", error=type(error).__name__)
            for partition, offset in due.items():
                self._next.setdefault(partition, offset)

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Commit before another replica takes over."""
        await self.flush()
        for partition in revoked:
            self._next.pop(partition, None)

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Nothing to do: reading goes on from the committed offsets."""


class _InHand:
    """A message in hand, and the span of what becomes of it."""

    def __init__(self, record: Record) -> None:
        self.record = record
        headers = {
            name: (value or b"").decode("ascii", "replace") for name, value in record.headers
        }
        self._correlation_id = headers.get("ce_correlationid", "")
        self.span = begin(
            f"{record.topic} process",
            SpanKind.CONSUMER,
            parent=headers.get("traceparent", ""),
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
        """What is done and logged in the block is for this message."""
        with correlated(self._correlation_id), under(self.span):
            yield


_Fault = tuple[_InHand, Exception, int]
"""A message, what is wrong with it, and how often it was tried."""


class Listener:
    """Takes in what one service hears, as one static member of the group named after it."""

    def __init__(
        self, service: str, settings: Settings, hears: Hears, unit_of_work: UnitOfWork
    ) -> None:
        self.service = service
        self.offsets = Offsets()
        self._settings = settings
        self._hears = hears
        self._unit_of_work = unit_of_work
        self._state = "starting"
        self._stopping = False
        self._busy_since: float | None = None
        self._taken_in = 0
        self._alone = 0
        """How many messages from here on are taken in one by one."""
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
        # FastStream's own middleware for them would see the first message of each batch only.
        self._metrics = MetricsManager(
            MetricsContainer(REGISTRY, metrics_prefix="carrel", custom_label_names=()),
            app_name=service,
        )
        for topic, contract in published(service).items():
            # Declared for the AsyncAPI document; the relay does the sending.
            self.broker.publisher(topic, schema=contract, title=topic, description=contract.__doc__)
        self._subscriber = None
        if hears.handlers:
            self._subscriber = self.broker.subscriber(
                *hears.handlers,
                group_id=service,
                group_instance_id=f"{service}-{settings.replica}",
                auto_offset_reset="earliest",
                ack_policy=AckPolicy.MANUAL,
                partition_assignment_strategy=(RoundRobinPartitionAssignor,),
                session_timeout_ms=SESSION_TIMEOUT_MS,
                heartbeat_interval_ms=HEARTBEAT_MS,
                max_poll_interval_ms=MAX_POLL_INTERVAL_MS,
                fetch_max_wait_ms=100,
                listener=self.offsets,
                no_reply=True,  # a header of a message would have it send something else
                title=service,
            )
            for contract, handler in hears.handlers.values():
                self._subscriber(_described(contract, handler))

    def _middleware(self, msg: Any, /, *, context: Any) -> "_Delivery":
        return _Delivery(msg, context=context, listener=self)

    async def run(self) -> None:
        """Listen until cancelled; a broker that is away is waited for.

        A consumer that can't commit for long is started again, and so is one that passes over a
        partition: after a broker was away, aiokafka at times waits for ever for metadata, goes on
        fetching, and is no member any more; or never fetches one partition again.
        """
        while True:
            await self._start()
            resting = asyncio.create_task(self._rest_when_idle())
            reading = asyncio.create_task(self._read_all())
            try:
                while not reading.done():
                    await asyncio.sleep(COMMIT_SECONDS)
                    async with asyncio.timeout(STUCK_SECONDS):
                        await self.offsets.flush()
                log.warning("listener starts again", reason=reading.result())
            except TimeoutError:
                log.warning("listener starts again", reason="offsets can't be committed")
            finally:
                resting.cancel()
                reading.cancel()
                await self._stop()
            self._stopping = False

    async def _start(self) -> None:
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
            self.offsets.consumer = self._subscriber.consumer
        self._state = "listening"

    async def _read_all(self) -> str:
        """Ends when a partition is passed over; says which."""
        progress = Progress(STUCK_SECONDS)
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            # Who waits for a database or another service reads nothing meanwhile, and rightly so.
            if self._busy_since is None and (seen := await self._seen()):
                passed_over = progress.look(time.monotonic(), *seen, self._taken_in)
                if passed_over:
                    return f"{passed_over[0].topic} {passed_over[0].partition} is not read"

    async def _seen(self) -> tuple[dict[TopicPartition, int], dict[TopicPartition, int]] | None:
        """How far each partition is read, and where it ends; None if the broker does not say."""
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
        """Pause between empty fetches where the broker does not hold them back.

        A fetch that is answered at once, with nothing, is sent again at once: noida-db and aiokafka
        keep a core busy with that. While there is more to read there is no rest: what comes in it
        is thrown away, and where an answer takes longer than FETCH_SECONDS all would be.
        """
        rest = self._settings.idle_poll_ms / 1000
        while rest and self._subscriber is not None and self._subscriber.consumer is not None:
            consumer, taken = self._subscriber.consumer, self._taken_in
            consumer.resume(*consumer.paused())
            await asyncio.sleep(FETCH_SECONDS)
            idle = self._busy_since is None and taken == self._taken_in
            if idle and not await _knows_of_more(consumer):
                consumer.pause(*consumer.assignment())
                await asyncio.sleep(rest)

    async def _stop(self) -> None:
        """Finish the message in hand, commit, leave."""
        self._stopping = True
        consumer = self._subscriber.consumer if self._subscriber else None
        if consumer is not None:
            consumer.pause(*consumer.assignment())
            deadline = time.monotonic() + 5
            # The message in hand has no event to wait for.
            while self._busy_since is not None and time.monotonic() < deadline:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(3):
                    await self.offsets.flush()
            # A static member leaves its partitions to nobody: right for a process that is killed
            # and comes back, wrong for one that is told to go. aiokafka says goodbye for the
            # others only; tests/faults/test_rebalance.py holds that this makes it do so.
            consumer._coordinator._group_instance_id = None  # noqa: SLF001
        self._state = "stopped"
        with contextlib.suppress(Exception):
            async with asyncio.timeout(10):
                await self.broker.stop()
        await self._dismiss_undertaker()

    def health(self) -> tuple[bool, str]:
        """Whether the consumer is alive, and what it is doing."""
        if self._state != "listening" or self._subscriber is None:
            return True, self._state
        if not any(not task.done() for task in self._subscriber.tasks):
            return False, "the consumer task has ended"
        if self._busy_since and time.monotonic() - self._busy_since > 2 * PATIENCE_SECONDS:
            return False, "one message has been in hand for minutes"
        return True, "listening"

    async def measure_lag(self) -> None:
        """Set the metric of what is still to be taken in; to nothing while the broker is away."""
        consumer = self._subscriber.consumer if self._subscriber else None
        if consumer is None:
            return
        lags: dict[str, int] = {}
        with contextlib.suppress(TimeoutError, KafkaError, IllegalStateError):
            async with asyncio.timeout(LAG_SECONDS):
                # Not by the highwater mark, which is of the last fetch: while a message is in hand
                # for long there is none.
                for partition, end in (await consumer.end_offsets(consumer.assignment())).items():
                    behind = end - await consumer.position(partition)
                    lags[partition.topic] = lags.get(partition.topic, 0) + max(behind, 0)
        LAG.clear()  # of partitions that went to another replica too
        for topic, lag in lags.items():
            LAG.labels(topic).set(lag)

    def specification(self) -> Any:
        """The AsyncAPI document of what this service publishes and hears."""
        app = FastStream(self.broker, specification=AsyncAPI(title=self.service, version="1.0.0"))
        return app.schema.to_specification().to_jsonable()

    async def take_in(self, first: Record, unreadable: Exception | None = None) -> None:
        """Carry a message to its end, and with it what else has come, where that is done at once.

        Each is taken in, buried, or put back to be read again. `unreadable` says why FastStream
        could not read it.
        """
        self._busy_since = started = time.monotonic()
        batch = [_InHand(first)]
        if unreadable is None:
            batch += [_InHand(record) for record in await self._more()]
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
        """What has been fetched besides. Nothing is waited for."""
        consumer = self._subscriber.consumer if self._subscriber else None
        if self._hears.apply is None or consumer is None:
            return []
        if self._alone:
            self._alone -= 1
            return []
        found: list[Record] = []
        # One by one: of many at once, aiokafka loses those that it read before it came upon a
        # damaged one. What it can't give now it says again to FastStream.
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
            except Exception as error:  # noqa: BLE001 - each failure has an end here
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
        due = [self.offsets.done(message.record) for message in batch]
        if any(due):
            await self.offsets.flush()

    def _changes(self, record: Record) -> Sequence[Any]:
        """What a message changes: of a service without `apply` that is a call to make."""
        if self._hears.apply is not None:
            return self._hears.changes(record)
        event, event_id, origin = self._hears.read(record)
        _, handler = self._hears.handlers[record.topic]
        work = self._unit_of_work
        return [lambda: handler(event, Run(work, origin, inbox=event_id, within=30.0))]

    async def _apply(
        self, changes: Sequence[Any], good: list[_InHand], at_fault: list[_Fault]
    ) -> bool:
        """Make the changes of messages; false if all are to be put back.

        One that is at fault goes over to those.
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
            except Exception as error:  # noqa: BLE001 - each failure has an end here
                about = {"messages": len(good), "error": type(error).__name__}
                if is_away(error) or isinstance(error, OwnerAway | Busy | KafkaError):
                    RETRIED.labels(topic, "away").inc()
                    log.warning("waiting", topic=topic, **about)
                    if self._stopping or time.monotonic() - started >= PATIENCE_SECONDS:
                        return False
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, 2.0)
                    continue
                if len(good) > 1:
                    # Each has its tries, and its time, once it is alone.
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
            first.setdefault(TopicPartition(record.topic, record.partition), record.offset)
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
        """Send a message to the dead letters; waits as long as the broker is away."""
        reason = describe(error)
        burial = _burial(record, reason, tries)
        # aiokafka sends no message without key and value: then an empty value stands for none.
        value = b"" if record.value is None and record.key is None else record.value
        letter = {"value": value, "key": record.key, "headers": [*record.headers, *burial]}
        while True:
            try:
                producer = await self._undertaking()
                await producer.send_and_wait(dead_letter_topic(self.service), **letter)
                break
            except MessageSizeTooLargeError:
                # The partition must go on; the message lies where the letter says.
                letter = {"value": b"", "headers": [*burial, (LEFT_OUT, b"too large")]}
            except Exception as failure:  # noqa: BLE001 - what is not buried must not be passed over
                log.warning("can't bury yet", error=type(failure).__name__)
                # One that was refused a number in its sequence is refused all that follow.
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
    """Takes every message from FastStream, one that it can't read too."""

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
        """What fails before that (headers that are no text) is buried."""
        if isinstance(exc_val, Exception):
            await self._listener.take_in(self.msg, unreadable=exc_val)
            return True
        return None


def _described(contract: type[Event], handler: Callable[..., Any]) -> Callable[..., Any]:
    """What FastStream makes the AsyncAPI document from: a handler of its own kind, never called."""

    async def described(event: Any) -> None: ...

    described.__annotations__ = {"event": contract, "return": None}
    described.__name__ = handler.__name__
    described.__doc__ = handler.__doc__
    return described


async def _call(_: Database, calls: Sequence[Callable[[], Awaitable[None]]]) -> None:
    for call in calls:
        await call()


async def _knows_of_more(consumer: AIOKafkaConsumer) -> bool:
    """Whether the broker has said that there is more to read than was read."""
    with contextlib.suppress(TimeoutError, KafkaError):
        async with asyncio.timeout(POSITION_SECONDS):
            for partition in consumer.assignment():
                end = consumer.highwater(partition)
                if end is not None and await consumer.position(partition) < end:
                    return True
    return False


def describe(error: Exception) -> str:
    """What went wrong, without a value of the message: it may hold what must not be logged."""
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
    """The headers that a letter has besides those of its message."""
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
    """The event's id, and the origin of what it causes. Raises ValueError for bad headers."""
    if any(value is None for _, value in record.headers):
        raise ValueError("a header has no value")
    headers = {name: value.decode() for name, value in record.headers}
    event_id, instant = headers.get("ce_id", ""), headers.get("ce_time", "")
    if not event_id or not instant:
        raise ValueError("the headers ce_id and ce_time are missing")
    # Another type, or a version to come, may look like ours and mean something else.
    ours = {"ce_type": record.topic, "ce_dataschema": f"{record.topic}.v1"}
    if any(headers.get(name, value) != value for name, value in ours.items()):
        raise ValueError("the message is of another type or version than its topic")
    origin = Origin(
        now=parse_instant(instant),
        correlation_id=headers.get("ce_correlationid") or new_id(),
        causation_id=event_id,
        traceparent=headers.get("traceparent", ""),
    )
    return event_id, origin


SERVICES = ("accounts", "circulation", "events", "notices", "gateway")
DEAD_LETTER_BYTES = 16 * 1024 * 1024
LEFT_OUT = "carrel-left-out"
"""Header of a letter whose message is larger than that, and therefore not in it."""


def all_topics() -> list[str]:
    """Every topic of the system: the event types and the dead letters."""
    return [*published(), *(dead_letter_topic(service) for service in SERVICES)]


def declared_topics(settings: Settings) -> list[NewTopic]:
    """Every topic as it is to be. What is there already keeps its own partitions and settings."""
    safe = {
        "min.insync.replicas": "2" if settings.replication >= 3 else "1",
        # An event bears the time of its recording. Kafka 4 refuses one of more than an hour ahead,
        # and a service whose clock was wrong could publish nothing until that time has come.
        "message.timestamp.after.max.ms": str(2**63 - 1),
    }
    events = {**safe, "retention.ms": str(settings.retention_days * 86_400_000)}
    # A dead letter waits for a person, however long; and it is larger than its message was.
    letters = {**safe, "retention.ms": "-1", "max.message.bytes": str(DEAD_LETTER_BYTES)}
    return [
        NewTopic(
            topic,
            num_partitions=settings.partitions,
            replication_factor=settings.replication,
            topic_configs=events if topic in published() else letters,
        )
        for topic in all_topics()
    ]


async def ensure_topics(settings: Settings) -> list[str]:
    """Create the topics that are missing; says which. Others may do the same at once.

    Raises KafkaError where the broker refuses one, as with more replicas than there are brokers.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka.split(","))
    await admin.start()
    try:
        existing = set(await admin.list_topics())
        missing = [topic for topic in declared_topics(settings) if topic.name not in existing]
        if missing:
            answer = await admin.create_topics(missing)
            # A refusal is told topic by topic, and raises nothing by itself.
            for topic, code, *reason in answer.topic_errors:
                if code not in (0, TopicAlreadyExistsError.errno):
                    raise for_code(code)(f"{topic}: {reason[0] if reason else 'refused'}")
        return [topic.name for topic in missing]
    finally:
        await admin.close()
