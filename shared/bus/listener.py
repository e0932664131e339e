"""The listener of a service: its Kafka consumer, watched and restarted, and its AsyncAPI document.

If the database or the broker is away, the listener waits. FastStream holds the subscription, calls
`processing.py` with the messages, and describes the subscription.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import IllegalStateError, KafkaError
from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker
from faststream.specification import AsyncAPI
from prometheus_client import Gauge

from shared.bus.connection import broker_security
from shared.bus.group import leave_group
from shared.bus.held import HeldMessage
from shared.bus.messages import Batch
from shared.bus.offsets import Offsets
from shared.bus.processing import Processor
from shared.bus.progress import Progress
from shared.bus.resting import rest_between_fetches
from shared.bus.subscriptions import Subscription, Subscriptions
from shared.bus.topics import ensure_topics
from shared.contracts import published
from shared.names import Names
from shared.settings import Settings
from shared.unit_of_work import UnitOfWork

log = structlog.get_logger()

COMMIT_SECONDS = 0.2
"""Seconds from a processed message to the commit of its offset."""
WAIT_MS = 1_000
"""Milliseconds that a broker waits for events before it answers a fetch with none."""
LOOK_ROUND_MS = 1_000
"""Milliseconds after which aiokafka looks at all partitions again, if nothing has happened."""
SLOW_SECONDS = 120
"""Seconds in one message after which a process counts as unhealthy."""
START_SECONDS = 60
"""Seconds for a consumer to join its group; a rebalance waits for other members up to 10 s."""
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 2.0
"""Seconds from a start that failed to the next; doubled each time."""
STUCK_SECONDS = 15
SILENT_SECONDS = 30
"""Seconds without an answer to a look at the ends of the partitions."""
FINISH_SECONDS = 5.0
"""Seconds for the messages in hand when the listener stops."""
LAST_COMMIT_SECONDS = 3.0
"""Seconds for the commit before that."""
LEAVE_SECONDS = 3.0
CLOSE_SECONDS = 10.0
"""Seconds until a consumer's end is waited for no longer; it goes on beside the next consumer."""
WATCH_SECONDS = 1.0
"""Seconds between two looks whether the consumer still reads, while it has nothing to commit."""
LOOK_SECONDS = 5
POSITION_SECONDS = 0.1
NOWHERE = -1
"""Stands for the position of a partition that has none yet."""
MAX_POLL_INTERVAL_MS = 300_000
SESSION_TIMEOUT_MS = 10_000
HEARTBEAT_MS = 500
LAG_SECONDS = 2.0
"""Seconds for a measurement of the lag, which waits behind a fetch."""

LAG = Gauge(
    "carrel_consumer_lag_events", "Events of this process's partitions to process", ["topic"]
)


class Listener:
    """Consumes the topics of one service, as a static member of the group with its name."""

    def __init__(
        self,
        service: str,
        settings: Settings,
        subscriptions: Subscriptions,
        unit_of_work: UnitOfWork,
    ) -> None:
        self.service = service
        self._client_id = f"{service}-{settings.replica}"
        self._names = Names(settings.topic_prefix)
        self._settings = settings
        self._state = "starting"
        self._events = {*published(service), *subscriptions.by_topic}
        self.processor = Processor(
            service, settings, subscriptions, unit_of_work, lambda: self._consumer
        )
        self._subscriptions = subscriptions
        self._subscriber: Any = None
        self._closing: set[asyncio.Task[None]] = set()
        """The ends of consumers that take long, for example because the broker is away."""

    @property
    def offsets(self) -> Offsets:
        """The uncommitted offsets of the present consumer."""
        return self.processor.offsets

    def _new_broker(self) -> KafkaBroker:
        return KafkaBroker(
            self._settings.kafka.split(","),
            client_id=self._client_id,
            consumer_only=True,
            security=broker_security(self._settings),
            graceful_timeout=FINISH_SECONDS,
            logger=None,
            apply_types=False,  # a batch is handed over as it is
        )

    def _subscribe(self, broker: KafkaBroker) -> Any:
        """Return the subscriber to all topics of this service; None if it has none."""
        if not self._subscriptions.by_topic:
            return None
        subscriber = broker.subscriber(
            *(self._names.on_kafka(topic) for topic in self._subscriptions.by_topic),
            group_id=self._names.on_kafka(self.service),
            group_instance_id=self._client_id,
            auto_offset_reset="earliest",
            ack_policy=AckPolicy.NACK_ON_ERROR,
            partition_assignment_strategy=(RoundRobinPartitionAssignor,),
            session_timeout_ms=SESSION_TIMEOUT_MS,
            heartbeat_interval_ms=HEARTBEAT_MS,
            max_poll_interval_ms=MAX_POLL_INTERVAL_MS,
            fetch_max_wait_ms=WAIT_MS,
            consumer_timeout_ms=LOOK_ROUND_MS,
            listener=self.offsets,
            parser=self.processor.receive,
            decoder=_as_it_is,
        )
        subscriber(self.processor.process)
        return subscriber

    @property
    def _consumer(self) -> AIOKafkaConsumer | None:
        """The consumer; None before the start, and for a service without subscriptions."""
        return self._subscriber.consumer if self._subscriber is not None else None

    async def run(self) -> None:
        """Listen until cancelled, and wait for a broker that is away.

        The consumer is restarted if it can't commit for a long time, skips a partition, gets no
        answers although it has nothing to commit, or misses a topic. After a broker was away,
        aiokafka sometimes waits for metadata for ever, and fetches although it is no longer a
        member of the group; or it never fetches one of the partitions again. For a topic that a
        broker has lost it asks only every five minutes, and nobody creates it: a start does both.
        """
        pause = FIRST_PAUSE
        while True:
            # Not the former one, some of whose tasks may not have ended yet.
            broker = self._new_broker()
            self.processor.begin()
            self._subscriber = self._subscribe(broker)
            try:
                failure = await self._start(broker)
                if failure is None:
                    pause = FIRST_PAUSE
                    reason = await self._commit_until_stuck()
                    self._state = f"starting again: {reason}"
                    log.warning("listener starts again", reason=reason)
            finally:
                await self._stop(broker)
            if failure is not None:
                log.warning("listener waits", error=type(failure).__name__, seconds=pause)
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)

    async def _commit_until_stuck(self) -> str:
        """Commit processed messages; return the reason why the consumer has to be restarted."""
        reading = asyncio.create_task(self._read_all())
        resting = asyncio.create_task(self._rest())
        try:
            return await self._commit_while(reading)
        finally:
            reading.cancel()
            resting.cancel()

    async def _commit_while(self, reading: asyncio.Task[str]) -> str:
        while not reading.done():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(WATCH_SECONDS):
                    await self.offsets.waiting.wait()
                    await asyncio.sleep(COMMIT_SECONDS)
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

    async def _start(self, broker: KafkaBroker) -> Exception | None:
        """Create the missing topics and join the group; return why that failed, or None."""
        try:
            async with asyncio.timeout(START_SECONDS):
                await ensure_topics(self._settings, [self.service], self._events)
                await broker.start()
        except (KafkaError, OSError) as error:  # also the end of the time
            self._state = f"waiting for the broker ({type(error).__name__})"
            return error
        self._state = "listening"
        return None

    async def _rest(self) -> None:
        if consumer := self._consumer:
            pause = self._settings.idle_poll_ms
            await rest_between_fetches(consumer, pause, lambda: self.processor.processed)

    async def _read_all(self) -> str:
        """Watch the consumer until it no longer reads all that it is to read; return the reason."""
        progress = Progress(STUCK_SECONDS)
        answered = complete = time.monotonic()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            missing = self._missing_topics()
            if not missing:
                complete = time.monotonic()
            elif time.monotonic() - complete >= STUCK_SECONDS:
                return f"the broker had no topic {missing[0]}"
            # A consumer that waits for a database or another service reads nothing meanwhile.
            if self._consumer is None or self.processor.busy_since is not None:
                answered = time.monotonic()
            elif seen := await self._seen(self._consumer):
                answered = time.monotonic()
                passed_over = progress.look(answered, *seen, self.processor.processed)
                if passed_over:
                    return f"{passed_over[0].topic} {passed_over[0].partition} is not read"
            elif time.monotonic() - answered >= SILENT_SECONDS:
                return "the broker does not answer"

    def _missing_topics(self) -> list[str]:
        """Return the topics to read that the broker did not have when the consumer last asked."""
        consumer = self._consumer
        if consumer is None:
            return []
        topics = self._subscriptions.by_topic
        return [t for t in topics if not consumer.partitions_for_topic(self._names.on_kafka(t))]

    async def _seen(
        self, consumer: AIOKafkaConsumer
    ) -> tuple[dict[TopicPartition, int], dict[TopicPartition, int]] | None:
        """Return the position and the end of each partition; None if the broker does not answer."""
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

    async def _stop(self, broker: KafkaBroker) -> None:
        """Commit, let FastStream finish the messages in hand, and leave the group."""
        if self._state == "listening":
            self._state = "stopping"
        self.processor.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_COMMIT_SECONDS):
                await self.offsets.flush()
        # Not cancelled if it takes long: a consumer that is half closed stays in its group.
        closing = asyncio.create_task(broker.stop())
        self._closing.add(closing)
        closing.add_done_callback(self._closed)
        await asyncio.wait([closing], timeout=CLOSE_SECONDS)
        self.offsets.end()
        if closing.done():  # else the next consumer takes its place, by the same instance id
            await self._leave_group()
        await self.processor.dead_letters.close()

    async def _leave_group(self) -> None:
        """Give the partitions to other replicas at once, and get new ones from the next start.

        A static member keeps its partitions when it stops: right for a process that is killed and
        comes back, wrong for one that is asked to stop, or that is to find a topic again.
        """
        with contextlib.suppress(KafkaError, OSError):
            async with asyncio.timeout(LEAVE_SECONDS):
                group = self._names.on_kafka(self.service)
                await leave_group(self._settings, group, self._client_id)

    def _closed(self, closing: asyncio.Task[None]) -> None:
        self._closing.discard(closing)
        if not closing.cancelled() and (error := closing.exception()):
            log.warning("consumer not closed", error=type(error).__name__)

    def _consumes(self) -> bool:
        """Return whether FastStream's own task still reads."""
        return self._subscriber is None or any(not task.done() for task in self._subscriber.tasks)

    def health(self) -> tuple[bool, str]:
        """Return whether the consumer is alive, and a text that says what it is doing."""
        if self._state != "listening" or self._subscriber is None:
            return True, self._state
        if not self._consumes():
            return False, "the consumer task has ended"
        if (
            self.processor.busy_since
            and time.monotonic() - self.processor.busy_since > SLOW_SECONDS
        ):
            return False, "one message has been in hand for minutes"
        return True, "listening"

    def held(self) -> list[HeldMessage]:
        """Return the messages that have held a partition of this process for minutes."""
        consumer = self._consumer
        ours = consumer.assignment() if consumer else ()
        return self.processor.held.reported(self._names.by_partition(dict.fromkeys(ours)))

    async def measure_lag(self) -> None:
        """Set the lag metric by topic; clear it while the broker is away."""
        consumer = self._consumer
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
        broker = self._new_broker()
        for topic, subscription in self._subscriptions.by_topic.items():
            title = f"{self.service}:{topic}"
            broker.subscriber(self._names.on_kafka(topic), title=title)(_described(subscription))
        for topic, contract in published(self.service).items():
            # Declared for this document only: the relay sends the messages.
            broker.publisher(
                self._names.on_kafka(topic),
                schema=contract,
                title=topic,
                description=contract.__doc__,
            )
        app = FastStream(broker, specification=AsyncAPI(title=self.service, version="1.0.0"))
        return app.schema.to_specification().to_jsonable()


async def _as_it_is(batch: Batch) -> Any:
    return batch.records


def _described(subscription: Subscription) -> Callable[..., Any]:
    """Return a function with the name, the text and the event of a handler, for the document."""

    async def described(event: Any) -> None: ...

    described.__annotations__ = {"event": subscription.contract, "return": None}
    described.__name__ = subscription.handler.__name__
    described.__doc__ = subscription.handler.__doc__
    return described
