"""Whether events are still on their way: outboxes that are not empty, messages not taken in."""

import asyncio
import time
from importlib import import_module
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from ops.processes import SERVICES, System
from shared.bus import all_topics


class Flow:
    """The flow of events through a running system."""

    def __init__(self, system: System, session: aiohttp.ClientSession) -> None:
        self._system = system
        self._session = session
        self._bootstrap = system.infrastructure.kafka.split(",")
        self._groups = {
            service: tuple(import_module(f"services.{service}.consumers").hears.handlers)
            for service in ("circulation", "notices", "gateway")
        }

    async def __aenter__(self) -> Self:
        self._reader = AIOKafkaConsumer(bootstrap_servers=self._bootstrap, enable_auto_commit=False)
        self._admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap)
        await self._reader.start()
        await self._admin.start()
        described = await self._admin.describe_topics(all_topics())
        self._partitions = [
            TopicPartition(topic["topic"], partition["partition"])
            for topic in described
            for partition in topic["partitions"]
        ]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._admin.close()
        await self._reader.stop()

    async def settle(self, within: float = 20.0) -> None:
        """Wait until every event has been relayed and taken in. Raises TimeoutError."""
        deadline = time.monotonic() + within
        before: dict[TopicPartition, int] | None = None
        while True:
            waiting = await self.waiting()
            ends = await self._reader.end_offsets(self._partitions)
            # Twice the same with nothing between: no consumer was just about to record more.
            if not waiting and ends == before:
                return
            before = ends if not waiting else None
            if time.monotonic() > deadline:
                raise TimeoutError(f"events still on their way after {within} s: {waiting}")
            await asyncio.sleep(0.03)

    async def waiting(self) -> list[str]:
        """What is on its way, in words; empty if nothing is."""
        waiting = await self.pending()
        ends = await self._reader.end_offsets(self._partitions)
        for group, topics in self._groups.items():
            committed = await self._admin.list_consumer_group_offsets(group)
            for partition, end in ends.items():
                if partition.topic not in topics or not end:
                    continue
                stored = committed.get(partition)
                if (stored.offset if stored else 0) < end:
                    waiting.append(f"{group} has not taken in all of {partition.topic}")
        return waiting

    async def pending(self) -> list[str]:
        """The outboxes that are not empty."""
        pending = await asyncio.gather(*(self._pending(service) for service in SERVICES))
        return [text for text in pending if text]

    async def _pending(self, service: str) -> str:
        try:
            async with self._session.get(f"{self._system.url(service)}/health/ready") as response:
                report: dict[str, Any] = await response.json()
        except aiohttp.ClientError:
            return f"{service} does not answer"
        return f"outbox of {service}" if report["outbox_seconds"] else ""

    async def counts(self) -> dict[str, int]:
        """How many events each topic holds, topics in order of name, empty ones left out."""
        ends = await self._reader.end_offsets(self._partitions)
        counts: dict[str, int] = {}
        for partition, end in sorted(ends.items()):
            if end:
                counts[partition.topic] = counts.get(partition.topic, 0) + end
        return counts
