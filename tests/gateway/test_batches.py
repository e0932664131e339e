"""Waiting events are applied in batches: faulty ones become dead letters, none is lost."""

import asyncio
import contextlib
import random
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

from ops.infrastructure.child import Child
from ops.infrastructure.embedded import embedded
from services.gateway.consumers import subscriptions
from services.gateway.settings import Settings
from services.gateway.views.store import writes
from services.gateway.views.store.schema import FORM, INDEXES, WHOLE, Change, ViewChange
from services.registry import NAMES, OWNERS
from shared.bus.listener import Listener
from shared.bus.offsets import COMMIT_EVERY
from shared.bus.processing import BATCH
from shared.bus.retry import RetryPolicy
from shared.bus.subscriptions import Subscriptions
from shared.bus.topics import dead_letter_topic, ensure_topics
from shared.contracts import Event, accounts, circulation
from shared.declared_indexes import ensure_indexes
from shared.ids import new_id
from shared.mongo import Database
from shared.owners import Owners
from shared.unit_of_work import UnitOfWork
from tests import patience, samples
from tests.faults.kills import arm, disarm
from tests.gateway import story
from tests.gateway.conftest import Tell
from tests.gateway.test_projection import clear, everything
from tests.poison import BODY, GOOD, LARGE, POISONS, TOPIC, Poison, as_it_came
from tests.support import SERVICE_KEYS, patient_client, until

PATRONS = [f"patron-{number}" for number in range(200)]
ID_THAT_IS_NO_FIELD = Poison(
    "an id that can't be the name of a field",
    samples.loan(circulation.LoanCheckedOut, 1, "a-b").body().replace(b'"a-b"', b'"a.b"'),
)
WHAT_NO_DATABASE_HOLDS = Poison(
    "seen when it is written", BODY.replace(b'"adult"', b'"unwritable"')
)


async def refuse(_: Database, changes: Sequence[Change]) -> None:
    """Raise like a driver that cannot write one of these changes."""
    if any(
        isinstance(change, ViewChange) and change.content.get("category") == "unwritable"
        for change in changes
    ):
        raise OverflowError


@pytest.fixture
def settings(settings: Settings, kafka: str) -> Settings:
    """A gateway with a broker."""
    return settings.model_copy(update={"kafka": kafka, "partitions": 3})


@dataclass
class Writing:
    """Sits between listener and store; records batch sizes and calls `before` on each batch."""

    sizes: list[int] = field(default_factory=list)
    before: Callable[[Database, Sequence[Change]], Any] | None = None
    patience: float = RetryPolicy.patience
    """Seconds after which a batch that waits is put back."""

    async def apply(self, database: Database, changes: Sequence[Change]) -> None:
        """Apply the changes as the gateway does."""
        if self.before is not None:
            await self.before(database, changes)
        await writes.apply(database, changes)
        self.sizes.append(len(changes))


@contextlib.asynccontextmanager
async def listening(settings: Settings, views: Database, writing: Writing) -> AsyncIterator[None]:
    """Run the gateway's listener until the block ends."""
    batched = Subscriptions(apply=writing.apply)
    batched.by_topic = {
        topic: replace(subscription, retry=RetryPolicy(patience=writing.patience))
        for topic, subscription in subscriptions.by_topic.items()
    }
    owners = Owners(settings, "gateway")
    listener = Listener(
        "gateway", settings, batched, UnitOfWork(views, "gateway", settings, owners)
    )
    running = asyncio.create_task(listener.run())
    try:
        yield
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await owners.close()


def told(kind: type[accounts.PatronSnapshot], version: int) -> list[tuple[Event, datetime]]:
    """Return a valid event for each patron."""
    events = [samples.patron(kind, version, patron_id=patron) for patron in PATRONS]
    return [(event, samples.START) for event in events]


async def publish(
    settings: Settings,
    events: Sequence[tuple[Event, datetime]],
    poisons: Sequence[tuple[str, Poison]] = (),
) -> dict[tuple[int, int], Poison]:
    """Publish events with faulty messages among them; return partition and offset of the latter."""
    await ensure_topics(settings, NAMES)
    chance = random.Random(1)  # noqa: S311 - repeatable
    messages: list[tuple[Event, datetime] | tuple[str, Poison]] = [*events]
    for poison in poisons:
        messages.insert(chance.randrange(len(messages)), poison)
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.kafka,
        value_serializer=lambda value: value or None,  # neither key nor value: refused
    )
    await producer.start()
    sent = {}
    try:
        for first, second in messages:
            if isinstance(second, Poison):
                place = await producer.send_and_wait(
                    first,
                    b"" if second.value is None else second.value,
                    key=second.key,
                    headers=list(second.headers),
                    partition=chance.randrange(3),
                )
                # This producer cannot tell an empty value from none.
                sent[place.partition, place.offset] = replace(second, value=second.value or None)
            elif isinstance(first, Event):
                about = {"ce_id": new_id().encode(), "ce_time": second.isoformat().encode()}
                await producer.send(
                    first.topic,
                    first.body(),
                    key=first.key.encode(),
                    headers=list((GOOD | about).items()),
                )
        await producer.flush()
    finally:
        await producer.stop()
    return sent


async def committed(settings: Settings, *topics: str) -> int:
    """Return how many messages of some topics have been committed."""
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka, group_id="gateway")
    await consumer.start()
    try:
        partitions = [TopicPartition(topic, number) for topic in topics for number in range(3)]
        return sum([await consumer.committed(partition) or 0 for partition in partitions])
    finally:
        await consumer.stop()


async def all_done(settings: Settings, count: int, *topics: str) -> None:
    """Wait until this many messages have been committed."""

    async def done() -> bool:
        return await committed(settings, *topics) == count

    await until(done, within=60, every=0.1)


async def dead_letters(settings: Settings) -> dict[tuple[int, int], ConsumerRecord[bytes, bytes]]:
    """Return the gateway's dead letters by their original partition and offset."""
    reader = AIOKafkaConsumer(
        dead_letter_topic("gateway"),
        bootstrap_servers=settings.kafka,
        auto_offset_reset="earliest",
    )
    await reader.start()
    try:
        ends = sum((await reader.end_offsets(list(reader.assignment()))).values())
        found = {}
        async with patience.within(60):
            for _ in range(ends):
                record = await reader.getone()
                headers = dict(record.headers)
                place = int(headers["carrel-partition"]), int(headers["carrel-offset"])
                assert place not in found, f"dead letter twice: {place}"
                found[place] = record
        return found
    finally:
        await reader.stop()


async def shown(views: Database) -> set[str]:
    """Return the patrons who have a view."""
    return {view["_id"] async for view in views.account_views.find()}


async def test_only_the_faulty_messages_of_a_batch_become_dead_letters(
    settings: Settings, views: Database
) -> None:
    kinds = [(TOPIC, p) for p in POISONS if p.value is None or len(p.value) < LARGE]
    kinds.append((circulation.LoanCheckedOut.topic, ID_THAT_IS_NO_FIELD))
    sent = await publish(settings, told(accounts.PatronRegistered, 1), kinds)
    writing = Writing()
    async with listening(settings, views, writing):
        count = len(PATRONS) + len(kinds)
        await all_done(settings, count, TOPIC, circulation.LoanCheckedOut.topic)

    found = await dead_letters(settings)
    assert len(sent) == len(kinds)
    assert {place: as_it_came(found[place], poison) for place, poison in sent.items()} == (
        dict.fromkeys(sent, True)
    )
    assert len(found) == len(sent)
    assert {dict(record.headers)["carrel-tries"] for record in found.values()} == {b"1"}
    assert await shown(views) == set(PATRONS)
    assert sum(writing.sizes) == len(PATRONS), "something was written again"
    assert len(writing.sizes) < len(PATRONS) / 10


async def test_an_event_that_fails_only_when_written_is_isolated_by_splitting_its_batch(
    settings: Settings, views: Database
) -> None:
    poisons = [(TOPIC, WHAT_NO_DATABASE_HOLDS)] * 2
    sent = await publish(settings, told(accounts.PatronRegistered, 1), poisons)
    writing = Writing(before=refuse)
    async with listening(settings, views, writing):
        await all_done(settings, len(PATRONS) + 2, TOPIC)
        await publish(settings, told(accounts.PatronUpdated, 2))
        await all_done(settings, len(PATRONS), accounts.PatronUpdated.topic)

    found = await dead_letters(settings)
    assert set(found) == set(sent)
    assert all(as_it_came(found[place], poison) for place, poison in sent.items())
    assert {dict(record.headers)["carrel-tries"] for record in found.values()} == {b"3"}
    versions = [view["patron"]["version"] async for view in views.account_views.find()]
    assert versions == [2] * len(PATRONS)
    assert max(writing.sizes) > 1, "batches are not taken whole again"
    assert max(writing.sizes) <= BATCH


@pytest.fixture
def mongod(tmp_path: Path) -> Iterator[tuple[str, Child]]:
    """A database of the test's own, which the test may kill."""
    with embedded(tmp_path, kafka=False, mongo_port=None) as infrastructure:
        if infrastructure.mongod is None:  # a database of others must not be killed
            pytest.skip("CARREL_MONGO_URL names a database that this test can't stop")
        yield infrastructure.mongo_url, infrastructure.mongod


@pytest.mark.parametrize("retried_for", [60.0, 0.2], ids=["held in hand", "put back"])
async def test_no_event_is_lost_when_the_database_dies_during_a_batch(
    settings: Settings,
    mongod: tuple[str, Child],
    retried_for: float,
) -> None:
    url, process = mongod
    settings = settings.model_copy(update={"mongo_url": url})
    client = patient_client(url)
    views = client[f"{settings.database_prefix}_gateway"]
    await ensure_indexes(views, INDEXES)
    died = asyncio.Event()

    async def die(database: Database, changes: Sequence[Change]) -> None:
        if len(changes) > 1 and not died.is_set():
            await writes.apply(database, changes[: len(changes) // 2])
            await asyncio.to_thread(process.kill)
            died.set()

    await publish(settings, told(accounts.PatronRegistered, 1))
    writing = Writing(before=die, patience=retried_for)
    async with listening(settings, views, writing):
        async with patience.within(30):
            await died.wait()
        assert await committed(settings, TOPIC) < len(PATRONS)
        await asyncio.to_thread(process.start)
        await all_done(settings, len(PATRONS), TOPIC)
    assert await dead_letters(settings) == {}
    assert await shown(views) == set(PATRONS)
    client.close()


async def test_a_stopping_listener_finishes_and_commits_its_current_batch(
    settings: Settings, views: Database
) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def wait(_: Database, changes: Sequence[Change]) -> None:
        if len(changes) > 1:
            begun.set()
            await go_on.wait()

    events = told(accounts.PatronRegistered, 1)[: COMMIT_EVERY // 2]  # no commit is due by count
    await publish(settings, events)
    writing = Writing(before=wait)
    listening_once = listening(settings, views, writing)
    await listening_once.__aenter__()
    async with patience.within(30):
        await begun.wait()
    leaving = asyncio.create_task(listening_once.__aexit__(None, None, None))
    await asyncio.sleep(0)
    assert not leaving.done()
    go_on.set()
    await leaving
    applied = sum(writing.sizes)
    assert applied > 1
    assert await committed(settings, TOPIC) == applied == len(await shown(views))
    async with listening(settings, views, Writing()):
        await all_done(settings, len(events), TOPIC)
    assert await shown(views) == {event.key for event, _ in events}


@pytest.fixture
def gateway(settings: Settings, tmp_path: Path) -> Iterator[Child]:
    """A gateway process, not started yet, that only consumes events, on complete views."""
    owners = {f"CARREL_{owner.upper()}_URL": settings.urls[owner] for owner in OWNERS}
    process = Child(
        "gateway",
        [sys.executable, "-m", "ops", "serve", "gateway"],
        tmp_path / "gateway.log",
        lambda: True,
        0,
        {
            "CARREL_MONGO_URL": settings.mongo_url,
            "CARREL_KAFKA": settings.kafka,
            "CARREL_DATABASE_PREFIX": settings.database_prefix,
            "CARREL_PARTITIONS": "3",
            "CARREL_PORT": "0",
            "CARREL_OPERATIONS_PORT": "0",
            "CARREL_ROLES": "consumers",
            "CARREL_FAILPOINT": str(tmp_path / "failpoint"),
            "CARREL_SERVICE_SECRET": "a secret of these tests",
            "CARREL_AUDIT_KEYS": "a key of these tests",
            "CARREL_SERVICE_KEY": SERVICE_KEYS["gateway"],
            **owners,
        },
    )
    yield process
    process.kill()


async def test_a_batch_is_applied_once_although_the_gateway_dies_before_the_commit(
    settings: Settings, views: Database, whole: None, gateway: Child, hear_all: Tell
) -> None:
    events = story.whole_story()
    await hear_all(events)
    expected = await everything(views)
    await clear(views)
    await views.account_views.insert_one({"_id": WHOLE, "form": FORM})

    await publish(settings, events)
    arm(gateway, "listener.processed", passes=1)
    await asyncio.to_thread(gateway.launch)
    assert await asyncio.to_thread(gateway.wait, 60) == -signal.SIGKILL, gateway.tail()
    topics = {event.topic for event, _ in events}
    assert await committed(settings, *topics) == 0
    assert len(await shown(views)) > 1, "the batch had one event only"

    disarm(gateway)
    await asyncio.to_thread(gateway.launch)
    await all_done(settings, len(events), *topics)
    assert await everything(views) == expected
    assert await dead_letters(settings) == {}
