"""The cost of secured servers: the same work on plain and on secured ones, in turns.

    .venv/bin/python -m benchmarks.secured [--json] [--rounds 8] [--events 60]

Apache Kafka and MongoDB run twice: plain, and with TLS, client certificates, users and rights
(tests/secured.py). For each event one transaction writes two documents, as a command does, then the
event is sent to Kafka and read again. The processor time is that of both servers and of this
process. No service runs: of a whole command, which does more, the servers' part is smaller.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from benchmarks.at_rest import seconds_of
from ops.broker.access import OPERATOR
from ops.infrastructure.child import Child
from ops.infrastructure.embedded import embedded
from services.settings import Settings
from shared.bus.connection import client_arguments
from shared.bus.topics import ensure_topics
from shared.mongo import Client, connect
from tests.secured import secured

TOPIC = "activity.published"
BODY = b"x" * 600


@dataclass
class Side:
    """The clients of one pair of servers, and the times of its rounds in milliseconds an event."""

    servers: Sequence[Child]
    client: Client
    producer: AIOKafkaProducer
    consumer: AIOKafkaConsumer
    elapsed: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)

    async def play(self, events: int) -> None:
        """Play one round and note its times."""
        used, started = self._processor(), time.monotonic()
        database = self.client["carrel_events"]
        for number in range(events):
            async with await self.client.start_session() as session, session.start_transaction():
                await database["probe"].insert_one({"number": number}, session=session)
                await database["probe_outbox"].insert_one({"body": BODY}, session=session)
            await self.producer.send_and_wait(TOPIC, BODY, key=b"one")
            await self.consumer.getone()
        self.elapsed.append(1000 * (time.monotonic() - started) / events)
        self.processor.append(1000 * (self._processor() - used) / events)

    def _processor(self) -> float:
        servers = [child.pid for child in self.servers if child.pid is not None]
        return time.process_time() + sum(map(seconds_of, servers))


@asynccontextmanager
async def opened(settings: Settings, servers: Sequence[Child]) -> AsyncIterator[Side]:
    """Yield the clients of a pair of servers."""
    await ensure_topics(settings, ["events"], {TOPIC})
    connection = client_arguments(settings)
    client = connect(settings.mongo_url, timeout_ms=20_000)
    async with (
        AIOKafkaProducer(**connection, acks="all", enable_idempotence=True) as producer,
        AIOKafkaConsumer(TOPIC, **connection, auto_offset_reset="earliest") as consumer,
    ):
        yield Side(servers, client, producer, consumer)
    client.close()


async def measure(plain: Side, protected: Side, rounds: int, events: int) -> dict[str, float]:
    """Play the rounds in turns; return the medians of each side, and their ratios."""
    sides = (plain, protected)
    for side in sides:
        await side.play(2 * events)  # the first round warms up
        side.elapsed.clear()
        side.processor.clear()
    for number in range(rounds):
        for side in sides if number % 2 else sides[::-1]:
            await side.play(events)
    found = {
        "plain_ms": statistics.median(plain.elapsed),
        "secured_ms": statistics.median(protected.elapsed),
        "plain_processor_ms": statistics.median(plain.processor),
        "secured_processor_ms": statistics.median(protected.processor),
    }
    found["ratio"] = found["secured_ms"] / found["plain_ms"]
    found["processor_ratio"] = found["secured_processor_ms"] / found["plain_processor_ms"]
    return {name: round(value, 2) for name, value in found.items()}


async def run(folder: Path, rounds: int, events: int) -> dict[str, float]:
    """Start both pairs of servers and measure."""
    with (
        embedded(folder / "plain", mongo_port=None, kafka_port=None, broker="apache") as plain,
        secured(folder / "secured") as protected,
    ):
        usual = Settings(mongo_url=plain.mongo_url, kafka=plain.kafka, partitions=3)
        operator = Settings.from_environment(protected.environment[OPERATOR])
        async with (
            opened(usual, plain.children) as one,
            opened(operator, protected.infrastructure.children) as other,
        ):
            return await measure(one, other, rounds, events)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--events", type=int, default=60)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(run(Path(folder), arguments.rounds, arguments.events))
    if arguments.json:
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
        return
    for name, value in found.items():
        sys.stdout.write(f"{name:<22} {value}\n")


if __name__ == "__main__":
    main()
