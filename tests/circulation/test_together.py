"""Circulation is killed in the middle of events that it handles together."""

import asyncio
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from ops.infrastructure.child import Child
from services.circulation.settings import Settings
from services.registry import NAMES
from shared.bus.topics import ensure_topics
from shared.contracts.accounts import PreferencesChanged
from shared.mongo import connect
from tests import samples
from tests.circulation.desk import settings_for
from tests.faults.kills import arm, disarm
from tests.support import SERVICE_KEYS, until

PATRONS = 60
TOPIC = PreferencesChanged.topic


@pytest.fixture
def settings(mongo_url: str, database: str, kafka: str) -> Settings:
    return settings_for(mongo_url, database).model_copy(update={"kafka": kafka, "partitions": 3})


@pytest.fixture
def circulation(settings: Settings, tmp_path: Path) -> Iterator[Child]:
    """A process of circulation, not started yet, that only consumes events."""
    process = Child(
        "circulation",
        [sys.executable, "-m", "ops", "serve", "circulation"],
        tmp_path / "circulation.log",
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
            "CARREL_CARD_KEY": "a key of these tests",
            "CARREL_AUDIT_KEYS": "a key of these tests",
            "CARREL_SERVICE_KEY": SERVICE_KEYS["circulation"],
        },
    )
    yield process
    process.kill()


async def publish(settings: Settings) -> int:
    """Publish two versions of each patron's preferences, each twice; return how many messages."""
    await ensure_topics(settings, NAMES)
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka)
    await producer.start()
    sent = 0
    for version in (1, 2):
        for patron in range(PATRONS):
            event = samples.preferences(version, patron_id=f"p{patron}", keep_history=version == 2)
            about = {"ce_id": f"e{patron}-{version}", "ce_time": samples.at(version).isoformat()}
            headers = [(name, value.encode()) for name, value in about.items()]
            for _ in range(2):
                await producer.send(TOPIC, event.body(), key=event.key.encode(), headers=headers)
                sent += 1
    await producer.stop()
    return sent


async def all_done(settings: Settings, count: int) -> None:
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka, group_id="circulation")
    await consumer.start()
    partitions = [TopicPartition(TOPIC, number) for number in range(3)]

    async def done() -> bool:
        return sum([await consumer.committed(one) or 0 for one in partitions]) == count

    try:
        await until(done, within=60, every=0.1)
    finally:
        await consumer.stop()


@pytest.mark.parametrize(
    "step", ["work.before-commit", "work.after-commit", "listener.processed", "listener.committed"]
)
async def test_each_event_has_its_effect_once_although_circulation_dies(
    settings: Settings, circulation: Child, step: str
) -> None:
    sent = await publish(settings)
    arm(circulation, step, passes=1 if step == "listener.committed" else 2)
    await asyncio.to_thread(circulation.launch)
    assert await asyncio.to_thread(circulation.wait, 60) == -signal.SIGKILL, circulation.tail()
    disarm(circulation)
    await asyncio.to_thread(circulation.launch)
    await all_done(settings, sent)

    client = connect(settings.mongo_url)
    database = client[f"{settings.database_prefix}_circulation"]
    readers = await database.readers.find({}).to_list(None)
    assert {reader["_id"] for reader in readers} == {f"p{n}" for n in range(PATRONS)}
    assert {reader["version"] for reader in readers} == {2}
    assert await database.inbox.count_documents({}) == 2 * PATRONS
    client.close()
