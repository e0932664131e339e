"""Apache Kafka as child processes: missing parts are named, acknowledged messages are kept."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from ops.broker.offsets import Positions
from ops.broker.replay import commit
from ops.infrastructure import apache
from ops.infrastructure.child import StartFailed
from ops.infrastructure.embedded import embedded
from services.registry import NAMES
from services.settings import Settings
from shared.bus.topics import ensure_topics
from shared.clock import wall_clock
from shared.names import Names
from shared.relay import outbox_producer, send_row
from tests import patience


@pytest.mark.parametrize("missing", ["java", "mvn"])
def test_a_missing_program_is_named_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    for name in {"java", "mvn"} - {missing}:
        (tmp_path / name).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(apache, "_LIBRARIES", tmp_path / "libraries")
    with pytest.raises(StartFailed, match=rf"no {missing} on the PATH: install it"):
        apache.apache_children(tmp_path / "data")


async def write(bootstrap: str, replicas: int, values: list[bytes]) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic("t", num_partitions=1, replication_factor=replicas)])
    await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
    await producer.start()
    for value in values:
        await producer.send_and_wait("t", value)
    await producer.stop()


async def read(bootstrap: str, count: int) -> list[bytes]:
    consumer = AIOKafkaConsumer("t", bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    async with patience.within(30):
        values = [(await consumer.getone()).value for _ in range(count)]
    await consumer.stop()
    return values


@pytest.mark.kafka
async def test_acknowledged_messages_survive_a_kill_and_a_new_port(
    tmp_path: Path,
) -> None:
    values = [b"1", b"2", b"3"]
    with embedded(tmp_path, mongo=False, kafka_port=None, broker="apache") as infrastructure:
        assert infrastructure.broker
        await write(infrastructure.kafka, 1, values)
        await asyncio.to_thread(infrastructure.broker.kill)
        await asyncio.to_thread(infrastructure.broker.start)
        assert await read(infrastructure.kafka, 3) == values
    with embedded(tmp_path, mongo=False, kafka_port=None, broker="apache") as infrastructure:
        assert await read(infrastructure.kafka, 3) == values


@pytest.mark.kafka
async def test_positions_are_waited_for_while_the_broker_starts(tmp_path: Path) -> None:
    """A new broker creates its topic of positions when it is first asked for; a later one reads it.

    An empty answer would be wrong: a replay resets positions that point into a lost log.
    """
    with embedded(tmp_path, mongo=False, kafka_port=None, broker="apache") as infrastructure:
        settings = Settings(kafka=infrastructure.kafka, partitions=1)
        await ensure_topics(settings, NAMES)
        async with Positions(settings) as positions:
            assert await positions.committed("notices") == {}
            at = dict.fromkeys(positions.partitions, 0)
        await commit(settings, "notices", at)
        assert infrastructure.broker
        await asyncio.to_thread(infrastructure.broker.kill)
        await asyncio.to_thread(infrastructure.broker.start)
        async with Positions(settings) as positions:
            assert await positions.committed("notices") == at
            assert not await positions.members("notices")


@pytest.mark.kafka
async def test_an_event_recorded_by_a_clock_that_was_ahead_is_published(tmp_path: Path) -> None:
    with embedded(tmp_path, mongo=False, kafka_port=None, broker="apache") as infrastructure:
        settings = Settings(kafka=infrastructure.kafka, partitions=1)
        await ensure_topics(settings, NAMES)
        producer = outbox_producer(settings, "relay")
        await producer.start()
        tomorrow = wall_clock() + timedelta(days=1)
        row = {"topic": "loan.overdue", "key": "p", "body": b"{}", "headers": {}}
        sent = await (await send_row(producer, {**row, "recorded_at": tomorrow}, Names()))
        await producer.stop()
        assert sent.offset == 0


@pytest.mark.kafka
async def test_a_cluster_continues_without_one_of_three_nodes(tmp_path: Path) -> None:
    with embedded(tmp_path, mongo=False, kafka_port=None, broker="apache-3") as infrastructure:
        assert len(infrastructure.children) == 3
        await write(infrastructure.kafka, 3, [b"1", b"2"])
        await asyncio.to_thread(infrastructure.children[0].kill)
        assert await read(infrastructure.kafka, 2) == [b"1", b"2"]
