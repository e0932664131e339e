"""The path of an event on a real broker: outbox, relay, topic, listener, effect."""

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import GroupLoadInProgressError, KafkaConnectionError
from aiokafka.protocol.commit import OffsetCommitRequest
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.group import JoinGroupRequest
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c
from prometheus_client import REGISTRY
from pymongo.errors import AutoReconnect

from services.registry import NAMES
from services.settings import Settings
from shared.bus.dead_letters import DeadLetters
from shared.bus.listener import START_SECONDS, Listener
from shared.bus.subscriptions import Subscriptions
from shared.bus.topics import dead_letter_topic, ensure_topics
from shared.contracts import contract_name, event
from shared.contracts.suspensions import FinesResumed, FinesSuspended, SuspensionSnapshot
from shared.relay import Relay, outbox_age, outbox_pending
from shared.unit_of_work import Run, UnitOfWork, Work
from tests import patience
from tests.shared.things import ORIGIN, Raise, Thing, event_of, process_event, raise_count
from tests.support import until


@pytest.fixture
def settings(mongo_url: str, database: str, kafka: str) -> Settings:
    return Settings(mongo_url=mongo_url, database_prefix=database, kafka=kafka, partitions=3)


@dataclass
class Heard:
    """The events that a listener's handler received, and the failures it is to raise."""

    events: list[FinesSuspended] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)
    free: asyncio.Event = field(default_factory=asyncio.Event)
    """Set as long as the handler need not wait."""

    def __post_init__(self) -> None:
        self.free.set()


@contextlib.asynccontextmanager
async def listening(
    unit_of_work: UnitOfWork, settings: Settings, heard: Heard
) -> AsyncIterator[Listener]:
    subscriptions = Subscriptions()

    @subscriptions.to(FinesSuspended, FinesResumed)
    async def note(event: FinesSuspended, run: Run) -> None:
        if heard.failures:
            raise heard.failures.pop(0)
        await heard.free.wait()
        await run(process_event, event)
        heard.events.append(event)

    listener = Listener("circulation", settings, subscriptions, unit_of_work)
    task = asyncio.create_task(listener.run())
    try:
        await until(lambda: _true(listener.health()[1] == "listening"))
        yield listener
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def relay_of(unit_of_work: UnitOfWork, settings: Settings) -> Relay:
    return Relay(unit_of_work.database, settings, "circulation", unit_of_work.event_commits)


@contextlib.asynccontextmanager
async def relaying(unit_of_work: UnitOfWork, settings: Settings) -> AsyncIterator[None]:
    relay = relay_of(unit_of_work, settings)
    task = asyncio.create_task(relay.run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _true(value: Any) -> Any:
    return value


async def send(settings: Settings, topic: str, value: bytes, **headers: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka)
    await producer.start()
    try:
        await producer.send_and_wait(
            topic, value, key=b"k", headers=list(headers.items()), partition=0
        )
    finally:
        await producer.stop()


async def read(settings: Settings, topic: str, count: int) -> list[Any]:
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=settings.kafka, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        async with patience.within(60):
            return [await consumer.getone() for _ in range(count)]
    finally:
        await consumer.stop()


async def committed(settings: Settings, topic: str) -> int:
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka, group_id="circulation")
    await consumer.start()
    try:
        offsets = [await consumer.committed(TopicPartition(topic, p)) or 0 for p in range(3)]
        return sum(offsets)
    finally:
        await consumer.stop()


async def test_a_committed_change_reaches_its_subscribers(
    unit_of_work: UnitOfWork, settings: Settings
) -> None:
    heard = Heard()
    async with listening(unit_of_work, settings, heard), relaying(unit_of_work, settings):
        for _ in range(30):
            await unit_of_work.run(raise_count, Raise("a"), ORIGIN)
        await until(lambda: _true(len(heard.events) == 30))
        assert await until(lambda: _no_age(unit_of_work))

    assert [event.version for event in heard.events] == list(range(1, 31))
    rows = await unit_of_work.database.outbox.find({}).to_list(None)
    assert all("pending" not in row and row["published_at"] for row in rows)
    assert await committed(settings, "fines.suspended") == 30


async def test_every_event_is_counted_and_measured(
    unit_of_work: UnitOfWork, settings: Settings
) -> None:
    def measured() -> list[float]:
        labels = {"app_name": "circulation", "broker": "kafka", "handler": "fines.suspended"}
        names = (
            "messages_size_bytes_count",
            "processed_messages_duration_seconds_count",
            "messages_in_process",
        )
        found = [REGISTRY.get_sample_value(f"carrel_received_{name}", labels) for name in names]
        return [value or 0 for value in found]

    before = measured()
    heard = Heard()
    await ensure_topics(settings, NAMES)
    for _ in range(8):  # before the listener starts: it receives several at once
        await unit_of_work.run(raise_count, Raise("a"), ORIGIN)
    async with relaying(unit_of_work, settings):
        await until(lambda: _no_age(unit_of_work))
    async with listening(unit_of_work, settings, heard):
        await until(lambda: _true(len(heard.events) == 8))
        await until(lambda: _committed(settings, 8))
    assert [now - then for now, then in zip(measured(), before, strict=True)] == [8, 8, 0]


async def _no_age(unit_of_work: UnitOfWork) -> bool:
    return await outbox_age(unit_of_work.database) == 0


async def test_rows_of_a_busy_service_are_sent_together(
    unit_of_work: UnitOfWork, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    gathered, sent = asyncio.Event(), []
    drain = Relay.drain

    async def gather(_relay: Relay, _looked: float) -> None:
        await gathered.wait()

    async def drain_and_note(relay: Relay, producer: AIOKafkaProducer) -> int:
        sent.append(await drain(relay, producer))
        return sent[-1]

    monkeypatch.setattr(Relay, "_gather", gather)
    monkeypatch.setattr(Relay, "drain", drain_and_note)
    await ensure_topics(settings, NAMES)
    await unit_of_work.run(raise_count, Raise("a"), ORIGIN)
    async with relaying(unit_of_work, settings):
        await until(lambda: _true(sent))  # the first is not held up
        for _ in range(5):
            await unit_of_work.run(raise_count, Raise("a"), ORIGIN)
        gathered.set()
        await until(lambda: _true(sum(sent) == 6))

    assert [number for number in sent if number] == [1, 5]


async def test_a_batch_of_rows_is_stored_compressed(
    unit_of_work: UnitOfWork, settings: Settings
) -> None:
    await ensure_topics(settings, NAMES)
    for _ in range(20):
        await unit_of_work.run(raise_count, Raise("a"), ORIGIN)
    async with relaying(unit_of_work, settings):
        await until(lambda: _no_age(unit_of_work))
    rows = await unit_of_work.database.outbox.find({}).to_list(None)
    assert len(rows) == 20
    assert 0 < await _stored_bytes(settings, rows[0]["topic"]) < sum(len(r["body"]) for r in rows)


async def _stored_bytes(settings: Settings, topic: str) -> int:
    """Return the bytes that the partitions of a topic take on the broker, as a fetch answers."""
    client = AIOKafkaClient(bootstrap_servers=settings.kafka)
    await client.bootstrap()
    try:
        await client.set_topics([topic])
        parts = [(partition, 0, 10**6) for partition in range(settings.partitions)]
        node = client.cluster.leader_for_partition(TopicPartition(topic, 0))
        answer = await client.send(node, FetchRequest(0, 0, 10**6, 0, [(topic, parts)], ""))
        return sum(len(part[-1] or b"") for _, partitions in answer.topics for part in partitions)
    finally:
        await client.close()


async def test_the_rows_of_another_process_are_found_by_the_clock(
    unit_of_work: UnitOfWork, settings: Settings
) -> None:
    heard = Heard()
    other = UnitOfWork(
        unit_of_work.database, unit_of_work.service, unit_of_work.settings, unit_of_work.owners
    )
    async with relaying(unit_of_work, settings), listening(unit_of_work, settings, heard):
        await other.run(raise_count, Raise("a"), ORIGIN)
        await until(lambda: _true(len(heard.events) == 1))
        await other.run(raise_count, Raise("a"), ORIGIN)
        await until(lambda: _true(len(heard.events) == 2))
        assert unit_of_work.event_commits.count == 0


@pytest.mark.parametrize("sender", ["relay", "dead letters"])
async def test_a_broker_that_is_away_leaves_no_producer_open(
    unit_of_work: UnitOfWork, settings: Settings, sender: str
) -> None:
    left_open: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, told: left_open.append(told))
    away = settings.model_copy(update={"kafka": "127.0.0.1:1"})
    opening = {
        "relay": relay_of(unit_of_work, away)._run_connected,
        "dead letters": DeadLetters("circulation", away, unit_of_work.database)._dlq_producer,
    }[sender]
    with pytest.raises(KafkaConnectionError):
        await opening()
    gc.collect()  # aiokafka tells the loop of a producer that nobody stopped once it is collected
    assert left_open == []


async def test_a_listener_that_is_stopped_while_it_starts_leaves_nothing_open(
    unit_of_work: UnitOfWork, settings: Settings
) -> None:
    left_open: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, told: left_open.append(told))
    await _start_and_stop_listener(unit_of_work, settings)
    gc.collect()  # as above
    assert left_open == []


async def _start_and_stop_listener(unit_of_work: UnitOfWork, settings: Settings) -> None:
    subscriptions = Subscriptions()

    @subscriptions.to(FinesSuspended)
    async def note(event: FinesSuspended, run: Run) -> None: ...

    listener = Listener("circulation", settings, subscriptions, unit_of_work)
    running = asyncio.create_task(listener.run())
    # FastStream opens the consumer.
    await until(lambda: _true(listener._consumer), every=0)
    assert listener.health()[1] != "listening"
    running.cancel()
    await asyncio.wait([running])


async def test_a_listener_whose_start_fails_half_way_leaves_nothing_open(
    unit_of_work: UnitOfWork, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[AIOKafkaClient] = []
    failures = 2

    async def find_nothing(consumer: AIOKafkaConsumer) -> None:
        """Fail as if the broker had gone after the connection was made."""
        nonlocal failures
        opened.append(consumer._client)
        if failures:
            failures -= 1
            raise KafkaConnectionError

    monkeypatch.setattr(AIOKafkaConsumer, "_wait_topics", find_nothing)
    async with listening(unit_of_work, settings, Heard()):
        await until(lambda: _true(len(opened) == 3))
        assert [bool(client._conns) for client in opened] == [False, False, True]


async def test_a_listener_does_not_wait_for_ever_for_its_group(
    unit_of_work: UnitOfWork, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = START_SECONDS  # for the starts after the first, on a busy machine
    monkeypatch.setattr("shared.bus.listener.START_SECONDS", 2)
    monkeypatch.setattr("shared.bus.listener.CLOSE_SECONDS", 0.5)
    send = GroupCoordinator._send_req
    over = asyncio.Event()
    joins = 0

    async def answer_no_join(coordinator: GroupCoordinator, request: Any) -> Any:
        nonlocal joins
        if isinstance(request, JoinGroupRequest):
            joins += 1
            if joins == 1:
                monkeypatch.setattr("shared.bus.listener.START_SECONDS", usual)
                await over.wait()
                raise KafkaConnectionError
        return await send(coordinator, request)

    monkeypatch.setattr(GroupCoordinator, "_send_req", answer_no_join)
    heard = Heard()
    async with relaying(unit_of_work, settings), listening(unit_of_work, settings, heard):
        await unit_of_work.run(raise_count, Raise("a"), ORIGIN)
        await until(lambda: _true(heard.events))
        over.set()
        await until(lambda: _committed(settings, 1))


async def test_two_concurrent_relays_lose_no_event_and_the_inbox_ignores_duplicates(
    unit_of_work: UnitOfWork, settings: Settings
) -> None:
    heard = Heard()
    other = settings.model_copy(update={"replica": "1"})
    second = relay_of(unit_of_work, other)
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka, acks="all")
    for _ in range(20):
        await unit_of_work.run(raise_count, Raise("a"), ORIGIN)
    await ensure_topics(settings, NAMES)
    await producer.start()
    first = relay_of(unit_of_work, settings)
    await asyncio.gather(first.drain(producer), second.drain(producer))
    await producer.stop()
    async with listening(unit_of_work, settings, heard):
        await until(lambda: _true(len(heard.events) >= 20))
        await until(lambda: _committed(settings, 20))

    assert await unit_of_work.database.things.find_one({"_id": "in-a", "n": 20})


GOOD_HEADERS = {"ce_id": b"e-1", "ce_time": b"2021-02-19T04:00:00Z"}
JSON = {"content-type": b"application/json"}


@pytest.mark.parametrize(
    ("value", "headers"),
    [
        pytest.param(b"{not json", {**GOOD_HEADERS, **JSON}, id="bad JSON"),
        pytest.param(b'{"version": "x"}', {**GOOD_HEADERS, **JSON}, id="wrong schema"),
        pytest.param(b"\xff\xfe", {**GOOD_HEADERS, **JSON}, id="not text"),
        pytest.param(b"", {**GOOD_HEADERS, **JSON}, id="empty"),
        pytest.param(b"{}", JSON, id="no event id"),
        pytest.param(b"{}", {**GOOD_HEADERS, "ce_source": b"\xff\xfe"}, id="headers not text"),
    ],
)
async def test_a_faulty_message_becomes_an_unchanged_dead_letter_and_its_partition_continues(
    unit_of_work: UnitOfWork, settings: Settings, value: bytes, headers: dict[str, bytes]
) -> None:
    heard = Heard()
    await ensure_topics(settings, NAMES)
    await send(settings, "fines.suspended", value, **headers)
    good = (
        b'{"version":1,"suspension_id":"s","starts_on":"2020-12-10","resumes_on":null,'
        b'"branches":[],"kinds":["central"],"reason":"r","a_field_of_tomorrow":1}'
    )
    await send(settings, "fines.suspended", good, **{**GOOD_HEADERS, "ce_id": b"e-2", **JSON})

    async with listening(unit_of_work, settings, heard):
        await until(lambda: _true(heard.events))
        [dead_letter] = await read(settings, dead_letter_topic("circulation"), 1)

    assert [event.suspension_id for event in heard.events] == ["s"]
    assert (dead_letter.value or b"") == value
    sent = dict(dead_letter.headers)
    assert {name: sent[name] for name in headers} == headers
    assert sent["carrel-topic"] == b"fines.suspended"
    assert sent["carrel-offset"] == b"0"
    assert await committed(settings, "fines.suspended") == 2


async def test_a_message_that_is_read_again_does_not_become_a_second_dead_letter(
    unit_of_work: UnitOfWork, settings: Settings
) -> None:
    await ensure_topics(settings, NAMES)
    await send(settings, "fines.suspended", b"{not json", **GOOD_HEADERS, **JSON)
    async with listening(unit_of_work, settings, Heard()):
        await until(lambda: _committed(settings, 1))
        [first] = await read(settings, dead_letter_topic("circulation"), 1)
    place = TopicPartition("fines.suspended", int(dict(first.headers)["carrel-partition"]))
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka, group_id="circulation")
    await consumer.start()
    consumer.assign([place])
    await consumer.commit({place: 0})  # as if the process had ended before its commit
    await consumer.stop()

    async with listening(unit_of_work, settings, Heard()):
        await until(lambda: _committed(settings, 1))

    assert await dead_letters(settings) == 1
    assert await unit_of_work.database.dead_letters.count_documents({}) == 1


async def test_a_record_that_cannot_be_read_holds_only_its_own_partition(
    unit_of_work: UnitOfWork, settings: Settings
) -> None:
    await ensure_topics(settings, NAMES)
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka)
    await producer.start()
    for number in range(30):
        thing = event_of(Thing(f"{number}", 1, 1))
        headers = [*(GOOD_HEADERS | {"ce_id": b"%d" % number}).items()]
        await producer.send_and_wait(
            thing.topic, thing.body(), headers=headers, partition=number % 3
        )
        if number == 16:
            await _send_unreadable(settings, thing.topic, 1)
    await producer.stop()
    heard = Heard()
    async with listening(unit_of_work, settings, heard):
        await until(lambda: _committed(settings, 26))

    assert {int(event.suspension_id) for event in heard.events} == {
        number for number in range(30) if number % 3 != 1 or number <= 16
    }


async def _send_unreadable(settings: Settings, topic: str, partition: int) -> None:
    """Send a record whose header has a name that aiokafka can't decode."""
    batch = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 10_000)
    batch.append(0, 0, b"k", b"{}", [("xx", b"")])
    written = bytearray(batch.build()).replace(b"xx", b"\xff\xfe")
    written[17:21] = calc_crc32c(bytes(written[21:])).to_bytes(4, "big")
    client = AIOKafkaClient(bootstrap_servers=settings.kafka)
    await client.bootstrap()
    try:
        await client.set_topics([topic])
        node = client.cluster.leader_for_partition(TopicPartition(topic, partition))
        records = [(topic, [(partition, bytes(written))])]
        await client.send(node, ProduceRequest(None, -1, 10_000, records))
    finally:
        await client.close()


async def test_a_reply_to_header_publishes_nothing(
    unit_of_work: UnitOfWork, settings: Settings
) -> None:
    heard = Heard()
    await ensure_topics(settings, NAMES)
    asks = {**GOOD_HEADERS, **JSON, "reply_to": b"fine.paid"}
    await send(settings, "fines.suspended", event_of(Thing("a", 1, 1)).body(), **asks)
    async with listening(unit_of_work, settings, heard):
        await until(lambda: _committed(settings, 1))

    consumer = AIOKafkaConsumer("fine.paid", bootstrap_servers=settings.kafka)
    await consumer.start()
    ends = await consumer.end_offsets(list(consumer.assignment()))
    await consumer.stop()
    assert set(ends.values()) == {0}


async def test_a_temporary_fault_is_retried_without_a_dead_letter(
    unit_of_work: UnitOfWork, settings: Settings
) -> None:
    heard = Heard(failures=[RuntimeError("once")])
    async with listening(unit_of_work, settings, heard), relaying(unit_of_work, settings):
        await unit_of_work.run(raise_count, Raise("a"), ORIGIN)
        await until(lambda: _true(heard.events))

    assert len(heard.events) == 1


async def test_a_refusal_becomes_a_dead_letter_after_a_few_tries_with_its_code(
    unit_of_work: UnitOfWork, settings: Settings
) -> None:
    class Refused(Exception):
        code = "copy-on-loan"

    heard = Heard(failures=[Refused("secret") for _ in range(3)])
    async with listening(unit_of_work, settings, heard), relaying(unit_of_work, settings):
        await unit_of_work.run(raise_count, Raise("a"), ORIGIN)
        [dead_letter] = await read(settings, dead_letter_topic("circulation"), 1)

    sent = dict(dead_letter.headers)
    assert sent["carrel-error"] == b"refused: copy-on-loan"
    assert sent["carrel-tries"] == b"3"


async def test_a_consumer_that_cannot_commit_is_restarted(
    unit_of_work: UnitOfWork, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.bus.listener.STUCK_SECONDS", 0.5)
    heard = Heard()
    async with relaying(unit_of_work, settings), listening(unit_of_work, settings, heard) as one:
        first = one.offsets.consumer
        assert first is not None
        monkeypatch.setattr(first, "commit", lambda _: asyncio.sleep(60))
        await unit_of_work.run(raise_count, Raise("a"), ORIGIN)
        await until(lambda: _true(one.offsets.consumer is not first))
        await unit_of_work.run(raise_count, Raise("a"), ORIGIN)
        await until(lambda: _true(heard.events and heard.events[-1].version == 2))
        await until(lambda: _committed(settings, 2))

    assert await unit_of_work.database.things.find_one({"_id": "in-a", "n": 2})


async def test_a_commit_does_not_undo_a_later_one(
    unit_of_work: UnitOfWork, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.bus.offsets.COMMIT_EVERY", 2)
    begun = ended = 0
    heard = Heard()
    async with relaying(unit_of_work, settings), listening(unit_of_work, settings, heard) as one:
        assert one.offsets.consumer is not None
        commit = one.offsets.consumer.commit
        overtaken = asyncio.Event()

        async def slow_at_first(due: Any) -> None:
            """Commit; the first time only after another commit, or a second."""
            nonlocal begun, ended
            begun += 1
            if begun == 1:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(1):
                        await overtaken.wait()
            await commit(due)
            overtaken.set()
            ended += 1

        monkeypatch.setattr(one.offsets.consumer, "commit", slow_at_first)
        await unit_of_work.run(raise_count, Raise("a"), ORIGIN)
        await until(lambda: _true(begun))
        for _ in range(2):
            await unit_of_work.run(raise_count, Raise("a"), ORIGIN)
        await until(lambda: _true(begun == ended >= 2))

        assert await committed(settings, "fines.suspended") == 3


@pytest.mark.parametrize("in_hand", ["until the last commit", "for longer"])
async def test_a_listener_restarts_while_commits_are_refused(
    in_hand: str, unit_of_work: UnitOfWork, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.bus.listener.STUCK_SECONDS", 2)
    monkeypatch.setattr("shared.bus.listener.FINISH_SECONDS", 0.1)
    monkeypatch.setattr("shared.bus.listener.LAST_COMMIT_SECONDS", 1)
    heard = Heard()
    async with relaying(unit_of_work, settings), listening(unit_of_work, settings, heard) as one:
        first = one.offsets.consumer
        assert first is not None
        send = first._coordinator._send_req
        refused = 0

        async def refuse_commits(request: Any) -> Any:
            nonlocal refused
            if not isinstance(request, OffsetCommitRequest):
                return await send(request)
            refused += 1
            if one.processor.stopping and in_hand == "until the last commit":
                heard.free.set()
            raise GroupLoadInProgressError

        monkeypatch.setattr(first._coordinator, "_send_req", refuse_commits)
        await unit_of_work.run(raise_count, Raise("a"), ORIGIN)
        await until(lambda: _true(refused))
        await unit_of_work.run(raise_count, Raise("a"), ORIGIN)
        await until(lambda: _true(len(heard.events) == 2))
        heard.free.clear()
        await unit_of_work.run(raise_count, Raise("a"), ORIGIN)
        await until(lambda: _true(one.offsets.consumer not in (None, first)))
        heard.free.set()
        await until(lambda: _committed(settings, 3))


@pytest.mark.parametrize("client", ["skips its partitions", "gets no answers"])
async def test_a_consumer_that_does_not_read_is_restarted(
    client: str, unit_of_work: UnitOfWork, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.bus.listener.STUCK_SECONDS", 1)
    monkeypatch.setattr("shared.bus.listener.SILENT_SECONDS", 1)
    monkeypatch.setattr("shared.bus.listener.LOOK_SECONDS", 0.2)
    heard = Heard()
    async with relaying(unit_of_work, settings), listening(unit_of_work, settings, heard) as one:
        first = one.offsets.consumer
        assert first is not None
        first.pause(*first.assignment())  # as if its partitions were forgotten
        if client == "gets no answers":  # as if it waited for metadata for ever
            monkeypatch.setattr(first, "end_offsets", lambda _: asyncio.Event().wait())
        await unit_of_work.run(raise_count, Raise("a"), ORIGIN)
        await until(lambda: _true(heard.events))
        assert one.offsets.consumer is not first
        await until(lambda: _committed(settings, 1))


@pytest.mark.kafka  # the embedded broker creates a topic that it is asked for
async def test_a_topic_that_the_broker_lost_is_created_again_and_read(
    unit_of_work: UnitOfWork, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.bus.listener.STUCK_SECONDS", 1)
    monkeypatch.setattr("shared.bus.listener.LOOK_SECONDS", 0.2)
    heard = Heard()
    async with listening(unit_of_work, settings, heard) as one:
        first = one.offsets.consumer
        assert first is not None
        admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
        await admin.start()
        try:
            await admin.delete_topics(["fines.suspended"])
            # As if the consumer had asked meanwhile, as it does after each kind of fault.
            await until(lambda: _forgets(first, "fines.suspended"))
            await until(lambda: _true(one.offsets.consumer not in (None, first)))
            assert "fines.suspended" in await admin.list_topics()
        finally:
            await admin.close()
        async with relaying(unit_of_work, settings):
            await unit_of_work.run(raise_count, Raise("a"), ORIGIN)
            await until(lambda: _true(heard.events))
            await until(lambda: _committed(settings, 1))


async def _forgets(consumer: AIOKafkaConsumer, topic: str) -> bool:
    await consumer._client.force_metadata_update()
    return not consumer.partitions_for_topic(topic)


async def _committed(settings: Settings, count: int) -> bool:
    return await committed(settings, "fines.suspended") >= count


async def test_a_restarted_listener_continues_at_its_last_position(
    unit_of_work: UnitOfWork, settings: Settings
) -> None:
    heard = Heard()
    async with relaying(unit_of_work, settings):
        async with listening(unit_of_work, settings, heard):
            await unit_of_work.run(raise_count, Raise("a"), ORIGIN)
            await until(lambda: _true(len(heard.events) == 1))
        await unit_of_work.run(raise_count, Raise("a"), ORIGIN)
        async with listening(unit_of_work, settings, heard):
            await until(lambda: _true(len(heard.events) == 2))

    assert [event.version for event in heard.events] == [1, 2]


async def test_a_listener_that_rests_after_empty_fetches_receives_every_event(
    unit_of_work: UnitOfWork, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch = Fetcher._proc_fetch_request
    empty = 0

    async def counted(*asked: Any) -> Any:
        nonlocal empty
        found = await fetch(*asked)
        empty += not found
        return found

    monkeypatch.setattr(Fetcher, "_proc_fetch_request", counted)
    heard = Heard()
    resting = settings.model_copy(update={"idle_poll_ms": 20})
    async with relaying(unit_of_work, settings), listening(unit_of_work, resting, heard) as one:
        for version in range(1, 6):
            fetched = empty
            await until(lambda at=fetched: _true(empty > at + 2))  # type: ignore[misc]
            await unit_of_work.run(raise_count, Raise("a"), ORIGIN)
            await until(lambda known=version: _true(len(heard.events) == known))  # type: ignore[misc]
        await until(lambda: _committed(settings, 5))
        assert one.processor.processed == 5


async def test_a_second_version_of_a_contract_is_published_beside_the_first(
    unit_of_work: UnitOfWork, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event, "_published", dict(event._published))

    class FinesSuspendedV2(
        SuspensionSnapshot,
        topic="fines.suspended.v2",
        publisher="circulation",
        key="suspension_id",
        subject="suspension_id",
    ):
        announced_by: str  # a required field would break the consumers of version 1

    def suspend(work: Work, command: Raise) -> None:
        thing = raise_count(work, command)  # records version 1
        fields = event_of(thing).model_dump()
        work.record(FinesSuspendedV2(**fields, announced_by="circulation"))

    subscriptions = Subscriptions()
    seen: dict[type[SuspensionSnapshot], Any] = {}

    @subscriptions.to(FinesSuspended, FinesSuspendedV2)
    async def note(event: SuspensionSnapshot, run: Run) -> None:
        seen[type(event)] = event

    task = asyncio.create_task(Listener("circulation", settings, subscriptions, unit_of_work).run())
    async with relaying(unit_of_work, settings):
        await unit_of_work.run(suspend, Raise("a"), ORIGIN)
        await until(lambda: _true(len(seen) == 2))
    task.cancel()
    await asyncio.wait([task])

    assert seen[FinesSuspendedV2].announced_by == "circulation"
    assert seen[FinesSuspended].suspension_id == "a"
    rows = await unit_of_work.database.outbox.find().to_list()
    assert {row["headers"]["ce_dataschema"].rpartition(":")[2] for row in rows} == {
        contract_name("fines.suspended"),
        "fines.suspended.v2",
    }


async def test_events_waiting_behind_the_current_one_count_as_lag(
    unit_of_work: UnitOfWork, settings: Settings
) -> None:
    heard = Heard(failures=[AutoReconnect() for _ in range(100)])

    async def lag_is(count: int) -> bool:
        await listener.measure_lag()
        topic = {"topic": "fines.suspended"}
        return REGISTRY.get_sample_value("carrel_consumer_lag_events", topic) == count

    async with listening(unit_of_work, settings, heard) as listener:
        async with relaying(unit_of_work, settings):
            for _ in range(5):
                await unit_of_work.run(raise_count, Raise("a"), ORIGIN)
            assert await outbox_pending(unit_of_work.database) <= 5
            await until(lambda: lag_is(4))  # the first is in progress
            assert REGISTRY.get_sample_value("carrel_relay_lease_held") == 1
            heard.failures.clear()
            await until(lambda: lag_is(0))
            await until(lambda: _true(len(heard.events) == 5))
        assert REGISTRY.get_sample_value("carrel_relay_lease_held") == 0
        assert await outbox_pending(unit_of_work.database) == 0


async def test_a_transport_error_during_a_commit_does_not_stop_the_listener(
    unit_of_work: UnitOfWork, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.bus.listener.STUCK_SECONDS", 0.5)

    async def closed(_: Any) -> None:
        raise RuntimeError("unable to perform operation on <TCPTransport closed=True>")

    heard = Heard()
    async with relaying(unit_of_work, settings), listening(unit_of_work, settings, heard) as one:
        first = one.offsets.consumer
        assert first is not None
        monkeypatch.setattr(first, "commit", closed)
        await unit_of_work.run(raise_count, Raise("a"), ORIGIN)
        await until(lambda: _true(one.offsets.consumer is not first), within=60)
        await until(lambda: _committed(settings, 1), within=60)

    assert await unit_of_work.database.things.find_one({"_id": "in-a", "n": 1})
    assert await dead_letters(settings) == 0


async def dead_letters(settings: Settings) -> int:
    """Return the number of messages on the service's dead-letter topic."""
    topic = dead_letter_topic("circulation")
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka)
    await consumer.start()
    try:
        ends = await consumer.end_offsets([TopicPartition(topic, p) for p in range(3)])
        return sum(ends.values())
    finally:
        await consumer.stop()
