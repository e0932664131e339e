"""Events that wait are handled together: one transaction for several, each once, keys in order."""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

from services.registry import NAMES
from services.settings import Settings
from shared.bus import processing
from shared.bus.listener import Listener
from shared.bus.messages import Message
from shared.bus.subscriptions import Subscriptions
from shared.bus.together import Call, handle
from shared.bus.topics import dead_letter_topic, ensure_topics
from shared.contracts.suspensions import FinesSuspended
from shared.mongo import Document
from shared.owners import OwnerAway
from shared.unit_of_work import Origin, Run, UnitOfWork, Work
from tests import patience
from tests.shared.things import NOON, Raise, Thing, event_of, raise_count
from tests.support import until


def note_version(work: Work, event: FinesSuspended) -> None:
    """Append the version of an event to the list of its resource, and publish an event."""
    change = {"$push": {"versions": event.version}}
    work.update("things", {"_id": f"in-{event.suspension_id}"}, change, upsert=True)
    raise_count(work, Raise(event.suspension_id))


@dataclass
class Handler:
    """A handler with faults, and the transactions that ran its use cases."""

    at_fault: dict[str, Exception] = field(default_factory=dict)
    """Errors that the use case raises, by id of the resource."""
    away: dict[str, int] = field(default_factory=dict)
    """The number of times that an owner is yet to be away when asked, by id of the resource."""
    transactions: list[int] = field(default_factory=list)
    """The session of each use case: each transaction has its own, also one that is rolled back."""
    _sessions: list[object] = field(default_factory=list)

    async def __call__(self, event: FinesSuspended, run: Run) -> None:
        """Ask an owner, then note the event."""
        key = event.suspension_id
        if self.away.get(key, 0):
            self.away[key] -= 1
            raise OwnerAway("accounts")
        await run(self.note, event)

    def note(self, work: Work, event: FinesSuspended) -> None:
        """Note the event unless it is at fault."""
        self._sessions.append(work._session)  # kept: ids of living objects differ
        self.transactions.append(id(work._session))
        note_version(work, event)
        if event.suspension_id in self.at_fault:
            raise self.at_fault[event.suspension_id]


def call(handler: Handler, event: FinesSuspended, event_id: str, offset: int) -> Call:
    """Return the call for a message with this event."""
    record: ConsumerRecord[Any, Any] = ConsumerRecord(
        event.topic, 0, offset, 0, 0, event.key.encode(), b"{}", 0, 1, 2, ()
    )
    return Call(Message(record), handler, event, Origin(NOON, causation_id=event_id))


def event(key: str, version: int) -> FinesSuspended:
    return event_of(Thing(key, version, version))


async def versions(unit_of_work: UnitOfWork) -> dict[str, list[int]]:
    found = unit_of_work.database.things.find({"_id": {"$regex": "^in-"}})
    return {row["_id"].removeprefix("in-"): row["versions"] async for row in found}


async def published(unit_of_work: UnitOfWork) -> list[Document]:
    return await unit_of_work.database.outbox.find({}).hint([("$natural", 1)]).to_list(None)


async def test_events_of_different_keys_share_a_transaction(unit_of_work: UnitOfWork) -> None:
    handler = Handler()
    await handle(unit_of_work, [call(handler, event(f"k{n}", 1), f"e{n}", n) for n in range(10)])

    assert len(handler.transactions) == 10
    assert len(set(handler.transactions)) == 1
    assert await versions(unit_of_work) == {f"k{n}": [1] for n in range(10)}
    rows = await published(unit_of_work)
    assert {row["key"]: row["headers"]["ce_causationid"] for row in rows} == {
        f"k{n}": f"e{n}" for n in range(10)
    }


async def test_events_of_one_key_are_handled_in_their_order(unit_of_work: UnitOfWork) -> None:
    handler = Handler()
    told = [event(f"k{n % 3}", n // 3 + 1) for n in range(15)]
    await handle(unit_of_work, [call(handler, one, f"e{n}", n) for n, one in enumerate(told)])

    assert await versions(unit_of_work) == {f"k{n}": [1, 2, 3, 4, 5] for n in range(3)}
    assert Counter(handler.transactions).most_common() == [
        (transaction, 3) for transaction in dict.fromkeys(handler.transactions)
    ]
    counts = [row["headers"]["ce_subject"] for row in await published(unit_of_work)]
    assert Counter(counts) == {f"k{n}": 5 for n in range(3)}


async def test_repeated_events_have_their_effect_once(unit_of_work: UnitOfWork) -> None:
    handler = Handler()
    calls = [call(handler, event(f"k{n}", 1), f"e{n}", n) for n in range(6)]
    await handle(unit_of_work, calls[:2])
    await handle(unit_of_work, [*calls, *calls])
    await handle(unit_of_work, calls)

    assert await versions(unit_of_work) == {f"k{n}": [1] for n in range(6)}
    assert len(await published(unit_of_work)) == 6
    assert await unit_of_work.database.inbox.count_documents({}) == 6


async def test_a_use_case_that_fails_keeps_nothing_of_its_transaction(
    unit_of_work: UnitOfWork,
) -> None:
    handler = Handler(at_fault={"k2": KeyError("a fault")})
    calls = [call(handler, event(f"k{n}", 1), f"e{n}", n) for n in range(5)]
    with pytest.raises(KeyError):
        await handle(unit_of_work, calls)

    assert await versions(unit_of_work) == {}
    assert await unit_of_work.database.inbox.count_documents({}) == 0
    handler.at_fault.clear()
    await handle(unit_of_work, calls)
    assert await versions(unit_of_work) == {f"k{n}": [1] for n in range(5)}


async def test_a_handler_that_waits_for_an_owner_does_not_stop_the_others(
    unit_of_work: UnitOfWork,
) -> None:
    handler = Handler(away={"k2": 1})
    calls = [call(handler, event(f"k{n}", 1), f"e{n}", n) for n in range(5)]
    with pytest.raises(OwnerAway):
        await handle(unit_of_work, calls)

    assert set(await versions(unit_of_work)) == {"k0", "k1", "k3", "k4"}
    await handle(unit_of_work, calls)
    assert await versions(unit_of_work) == {f"k{n}": [1] for n in range(5)}


async def test_a_transaction_that_meets_another_writer_is_run_again(
    unit_of_work: UnitOfWork,
) -> None:
    handler = Handler()
    calls = [call(handler, event(f"k{n}", 1), f"e{n}", n) for n in range(10)]
    writers = (
        unit_of_work.run(raise_count, Raise(f"k{n % 10}"), calls[0].origin) for n in range(30)
    )
    await asyncio.gather(handle(unit_of_work, calls), handle(unit_of_work, calls), *writers)

    assert await versions(unit_of_work) == {f"k{n}": [1] for n in range(10)}
    counts = [
        row["count"] async for row in unit_of_work.database.things.find({"count": {"$gt": 0}})
    ]
    assert counts == [4] * 10


# ---- on a broker --------------------------------------------------------------------------------


@pytest.fixture
def on_kafka(settings: Settings, kafka: str) -> Settings:
    return settings.model_copy(update={"kafka": kafka})


@contextlib.asynccontextmanager
async def listening(
    unit_of_work: UnitOfWork, settings: Settings, handler: Handler
) -> AsyncIterator[Listener]:
    subscriptions = Subscriptions()

    @subscriptions.to(FinesSuspended)
    async def note(event: FinesSuspended, run: Run) -> None:
        await handler(event, run)

    listener = Listener("circulation", settings, subscriptions, unit_of_work)
    task = asyncio.create_task(listener.run())
    try:
        yield listener
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def publish(settings: Settings, told: Sequence[tuple[str, FinesSuspended]]) -> None:
    await ensure_topics(settings, NAMES)
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka)
    await producer.start()
    try:
        for event_id, one in told:
            headers = [("ce_id", event_id.encode()), ("ce_time", b"2021-02-19T04:00:00Z")]
            await producer.send(one.topic, one.body(), key=one.key.encode(), headers=headers)
        await producer.flush()
    finally:
        await producer.stop()


async def all_done(settings: Settings, count: int) -> None:
    """Wait until this many messages have been committed."""
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka, group_id="circulation")
    await consumer.start()
    partitions = [TopicPartition(FinesSuspended.topic, number) for number in range(3)]

    async def done() -> bool:
        return sum([await consumer.committed(one) or 0 for one in partitions]) == count

    try:
        await until(done, within=60, every=0.1)
    finally:
        await consumer.stop()


async def dead_letters(settings: Settings) -> list[dict[str, bytes]]:
    """Return the headers of all dead letters."""
    topic = dead_letter_topic("circulation")
    reader = AIOKafkaConsumer(topic, bootstrap_servers=settings.kafka, auto_offset_reset="earliest")
    await reader.start()
    try:
        ends = sum((await reader.end_offsets(list(reader.assignment()))).values())
        async with patience.within(60):
            return [dict((await reader.getone()).headers) for _ in range(ends)]
    finally:
        await reader.stop()


def in_any_order(keys: int, each: int) -> list[tuple[str, FinesSuspended]]:
    """Return events of many keys, every one twice, those of one key in their order."""
    turns = [key for key in range(keys) for _ in range(each)]
    random.Random(1).shuffle(turns)  # noqa: S311 - repeatable
    told = []
    seen: Counter[int] = Counter()
    for key in turns:
        seen[key] += 1
        told += [(f"e{key}-{seen[key]}", event(f"k{key}", seen[key]))] * 2
    return told


async def test_waiting_events_are_handled_together_and_once_in_the_order_of_their_keys(
    unit_of_work: UnitOfWork, on_kafka: Settings
) -> None:
    told = in_any_order(40, 4)
    await publish(on_kafka, told)
    handler = Handler()
    async with listening(unit_of_work, on_kafka, handler):
        await all_done(on_kafka, len(told))

    assert await versions(unit_of_work) == {f"k{n}": [1, 2, 3, 4] for n in range(40)}
    assert len(await published(unit_of_work)) == 160
    together = Counter(handler.transactions).values()
    assert max(together) > 1
    assert max(together) <= processing.TOGETHER
    assert await dead_letters(on_kafka) == []


async def test_two_replicas_handle_each_event_once(
    unit_of_work: UnitOfWork, on_kafka: Settings
) -> None:
    told = in_any_order(40, 3)
    await ensure_topics(on_kafka, NAMES)
    handler = Handler()
    other = on_kafka.model_copy(update={"replica": "1"})
    async with listening(unit_of_work, on_kafka, handler):
        await publish(on_kafka, told[:100])
        async with listening(unit_of_work, other, handler):  # takes over some partitions
            await publish(on_kafka, told[100:])
            await all_done(on_kafka, len(told))

    assert await versions(unit_of_work) == {f"k{n}": [1, 2, 3] for n in range(40)}
    assert len(await published(unit_of_work)) == 120


async def test_only_the_message_at_fault_becomes_a_dead_letter(
    unit_of_work: UnitOfWork, on_kafka: Settings
) -> None:
    told = in_any_order(30, 2)
    await publish(on_kafka, told)
    handler = Handler(at_fault={"k7": RuntimeError("a fault")}, away={"k3": 2})
    async with listening(unit_of_work, on_kafka, handler):
        await all_done(on_kafka, len(told))
        await publish(on_kafka, [(f"later-{n}", event(f"k{n}", 3)) for n in range(20, 30)])
        handler.transactions.clear()
        await all_done(on_kafka, len(told) + 10)

    assert await versions(unit_of_work) == {
        f"k{n}": [1, 2] if n < 20 else [1, 2, 3] for n in range(30) if n != 7
    }
    letters = await dead_letters(on_kafka)
    assert [letter["ce_id"] for letter in letters] == [b"e7-1", b"e7-1", b"e7-2", b"e7-2"]
    assert {letter["carrel-tries"] for letter in letters} == {b"3"}
