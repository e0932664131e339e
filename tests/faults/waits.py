"""Times that events wait on their topics for each consuming service, measured from outside."""

import asyncio
import contextlib
import time
from collections import deque
from types import TracebackType
from typing import Self

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from ops.broker.offsets import Positions, subscribed_topics
from ops.infrastructure.processes import System
from services.settings import Settings
from tests.support import until

SAMPLE_SECONDS = 0.25

Marks = deque[tuple[float, dict[TopicPartition, int]]]
"""The end offsets of the topics at earlier moments, oldest first."""


class Waits:
    """Measures the longest time from an event's arrival to its committed offset.

    It samples four times a second, so a wait may be up to 0.25 s shorter than measured, and an
    event that came and went between two samples is not seen. The end of the block waits until
    all earlier events are processed.
    """

    def __init__(self, system: System) -> None:
        self.longest: dict[str, float] = dict.fromkeys(subscribed_topics(), 0.0)
        """Longest wait in seconds for each service."""
        self._positions = Positions(system.settings(Settings))
        self._marks: dict[str, Marks] = {service: deque() for service in subscribed_topics()}

    async def __aenter__(self) -> Self:
        await self._positions.__aenter__()
        self._watching = asyncio.create_task(self._watch())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        left = time.monotonic()

        async def caught_up() -> bool:
            return self._watching.done() or all(
                not marks or marks[0][0] > left for marks in self._marks.values()
            )

        try:
            if error is None:
                await until(caught_up, within=60)
        finally:
            self._watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watching
            await self._positions.__aexit__(kind, error, trace)

    async def _watch(self) -> None:
        while True:
            with contextlib.suppress(KafkaError):  # a coordinator may be moving to another broker
                await self._look()
            await asyncio.sleep(SAMPLE_SECONDS)

    async def _look(self) -> None:
        began, ends = time.monotonic(), await self._positions.ends()
        for service, marks in self._marks.items():
            mine = {
                p: end for p, end in ends.items() if p.topic in subscribed_topics()[service] and end
            }
            marks.append((began, mine))
            stored = await self._positions.admin.list_consumer_group_offsets(service)
            read = {partition: at.offset for partition, at in stored.items()}
            now = time.monotonic()
            while marks and all(read.get(p, 0) >= end for p, end in marks[0][1].items()):
                self.longest[service] = max(self.longest[service], now - marks.popleft()[0])
