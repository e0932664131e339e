"""A broker that lost its log is refilled from the outboxes, and all consumers converge."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer

from ops.audit.system import audit
from ops.broker.replay import replay
from ops.infrastructure.child import start_all, stop_all
from ops.infrastructure.embedded import embedded
from ops.infrastructure.processes import System
from services.registry import NAMES, OWNERS
from services.settings import Settings
from shared.bus.topics import ensure_topics
from shared.declared_indexes import ensure_indexes
from shared.indexes import chassis_indexes
from shared.owners import Owners
from shared.relay import Relay, outbox_producer
from shared.unit_of_work import UnitOfWork
from tests import patience
from tests.library import Library
from tests.ops.command import carrel
from tests.shared.things import ORIGIN, Raise, raise_count
from tests.support import patient_client

TOPIC = "fines.suspended"


@pytest.fixture
def settings(mongo_url: str, database: str) -> Settings:
    return Settings(mongo_url=mongo_url, database_prefix=database, partitions=3)


@pytest.fixture
async def unit_of_work(settings: Settings) -> AsyncIterator[UnitOfWork]:
    client = patient_client(settings.mongo_url)
    store = client[f"{settings.database_prefix}_circulation"]
    await ensure_indexes(store, {**chassis_indexes(1), "things": []})
    yield UnitOfWork(store, "circulation", settings, Owners(settings, "circulation"))
    client.close()


async def messages(kafka: str, count: int) -> list[tuple[Any, ...]]:
    consumer = AIOKafkaConsumer(TOPIC, bootstrap_servers=kafka, auto_offset_reset="earliest")
    await consumer.start()
    try:
        async with patience.within(60):
            read = [await consumer.getone() for _ in range(count)]
    finally:
        await consumer.stop()
    # Order is guaranteed within a partition only.
    read.sort(key=lambda record: (record.partition, record.offset))
    return [(r.partition, r.key, r.value, r.headers, r.timestamp) for r in read]


async def test_a_new_broker_gets_the_same_messages_in_the_same_order(
    unit_of_work: UnitOfWork, settings: Settings, kafka: str, tmp_path: Path
) -> None:
    for number in range(40):
        await unit_of_work.run(raise_count, Raise(f"thing-{number % 4}"), ORIGIN)
    old = settings.model_copy(update={"kafka": kafka})
    await ensure_topics(old, NAMES)
    producer = outbox_producer(old, "test")
    await producer.start()
    await Relay(unit_of_work.database, old, "circulation", unit_of_work.event_commits).drain(
        producer
    )
    await producer.stop()
    await unit_of_work.run(raise_count, Raise("thing-0"), ORIGIN)  # waits for the relay

    with embedded(tmp_path, mongo=False, kafka_port=None) as other:
        new = settings.model_copy(update={"kafka": other.kafka})
        assert await replay(new, "circulation", topic=TOPIC) == {TOPIC: 40}
        assert await messages(other.kafka, 40) == await messages(kafka, 40)

        rows = await unit_of_work.database.outbox.find({}).sort("recorded_at", 1).to_list(None)
        since = rows[30]["recorded_at"]
        later = [row for row in rows[:40] if row["recorded_at"] >= since]
        assert await replay(new, "circulation", since=since) == {TOPIC: len(later)}


async def test_an_invalid_replay_is_refused(settings: Settings) -> None:
    assert (await carrel(settings, "replay", "notices", "--topic", "loan.lost")).code == 2
    assert (await carrel(settings, "replay", "notices", "--since", "yesterday")).code == 2
    assert (await carrel(settings, "replay", "library")).code == 2


async def test_the_system_converges_after_the_broker_lost_its_log(running: System) -> None:
    async with Library(running) as library:
        branch = await library.branch()
        cards = [await library.patron(branch) for _ in range(3)]
        copies = await library.copies(branch, 9)
        await library.flow.settle(within=60)  # circulation has to know the branch
        for at, card in enumerate(cards):
            await library.lend(card, copies[at * 3 : at * 3 + 3], branch)
        await library.take_back(copies[:2], branch)
        await library.flow.settle()
        seen = [await library.get("/v1/me", by=card) for card in cards]
        tokens = library.tokens

    settings = running.settings(Settings)
    services = list(running.processes.values())
    # The steps of docs/runbook.md: running services request their topics, and many brokers then
    # create them with one partition.
    await asyncio.to_thread(stop_all, services)
    await _lose_everything(running, settings)
    assert (await carrel(settings, "topics", "create")).code == 0
    replayed = {service: await carrel(settings, "replay", service) for service in OWNERS}
    assert {service: ran.code for service, ran in replayed.items()} == {
        "accounts": 0,
        "circulation": 0,
        "events": 1,
        "notices": 0,
    }
    assert "No such events are kept" in replayed["events"].err
    await asyncio.to_thread(start_all, services)

    async with Library(running) as library:
        library.tokens |= tokens
        await library.flow.settle(within=60)
        assert (await audit(settings)).findings == []
        for card, before in zip(cards, seen, strict=True):
            after = await library.get("/v1/me", by=card)
            assert after["loans"] == before["loans"]
            assert after["totals"] == before["totals"]


async def _lose_everything(running: System, settings: Settings) -> None:
    """Restart the broker with an empty log, and delete the gateway's database."""
    broker = running.infrastructure.broker
    assert broker is not None
    await asyncio.to_thread(broker.stop)
    folder = broker.command[broker.command.index("--data-dir") + 1]
    await asyncio.to_thread(shutil.rmtree, folder)
    await asyncio.to_thread(os.mkdir, folder)
    client = patient_client(settings.mongo_url)
    await client.drop_database(f"{settings.database_prefix}_gateway")
    client.close()
    await asyncio.to_thread(broker.start)
