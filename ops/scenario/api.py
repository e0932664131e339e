"""The API and the events of a played system: calls by its callers, and what is under way."""

import asyncio
import time
from types import TracebackType
from typing import Any, Self

import aiohttp
import orjson
from aiokafka import TopicPartition
from pymongo.errors import PyMongoError

from ops.broker.offsets import Positions
from ops.databases import branches_to_move, rooms_to_settle
from ops.infrastructure.processes import System
from ops.scenario.definition import ScenarioStopped
from services.registry import NAMES
from services.settings import Settings
from shared.mongo import connect

PATIENCE_SECONDS = 60.0
"""Seconds for which a step is repeated while a service answers that it is away for a moment."""


class Api:
    """The gateway's API, with the access token of each caller who has logged in."""

    def __init__(self, session: aiohttp.ClientSession, gateway_url: str, name: str) -> None:
        self.now = ""
        """Business time of the next calls."""
        self._session = session
        self._gateway_url = gateway_url
        self._name = name
        self._at_once = asyncio.Semaphore(4)  # checking a PIN takes a core a tenth of a second
        self._keys = 0
        self._tokens: dict[str, str] = {}

    async def call(
        self, method: str, path: str, body: Any = None, *, by: str = "", expect: int | None = None
    ) -> tuple[int, Any]:
        """Call the API, again while a service is away, and return status and answer.

        Raises ScenarioStopped for a problem, unless `expect` is given.
        """
        headers = {"Carrel-Time": self.now}
        if by:
            headers["Authorization"] = f"Bearer {self._tokens[by]}"
        if method != "GET":
            self._keys += 1
            headers["Idempotency-Key"] = f"{self._name}-{self._keys}"
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            async with (
                self._at_once,
                self._session.request(
                    method, self._gateway_url + path, json=body, headers=headers
                ) as response,
            ):
                raw = await response.read()
            answer = orjson.loads(raw) if raw else None
            if response.status != 503 or time.monotonic() > deadline:
                break
            # A busy machine: the same key makes the next try safe, whatever became of this one.
            await asyncio.sleep(int(response.headers.get("Retry-After", 1)))
        if expect is None and response.status >= 400:
            code = answer.get("code") if isinstance(answer, dict) else None
            detail = answer.get("detail") if isinstance(answer, dict) else None
            raise ScenarioStopped(
                f"{method} {path} at {self.now}: {response.status} {code}: {detail}"
                f"{'' if not isinstance(answer, dict) else ' ' + str(answer.get('errors', ''))}"
            )
        return response.status, answer

    async def get(self, path: str, *, by: str = "") -> Any:
        """Return what a path answers."""
        return (await self.call("GET", path, by=by))[1]

    async def post(self, path: str, body: Any = None, *, by: str) -> Any:
        """Post a command with a key of its own, and return the answer."""
        return (await self.call("POST", path, body, by=by))[1]

    async def log_in(self, who: str, card: str, pin: str) -> None:
        """Log in with a card and keep the access token under a caller's name."""
        answer = (await self.call("POST", "/v1/sessions", {"card_number": card, "pin": pin}))[1]
        self._tokens[who] = answer["access_token"]


class Flow:
    """The flow of events through a running system."""

    def __init__(self, system: System, session: aiohttp.ClientSession) -> None:
        settings = system.settings(Settings)
        self._system = system
        self._session = session
        self._positions = Positions(settings)
        self._client = connect(settings.mongo_url)
        self._events = self._client[f"{settings.database_prefix}_events"]
        self._circulation = self._client[f"{settings.database_prefix}_circulation"]

    async def __aenter__(self) -> Self:
        await self._positions.__aenter__()
        async with asyncio.timeout(60):
            while self._positions.missing:  # the listeners create the topics when they start
                await asyncio.sleep(0.03)
                await self._positions.refresh()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.close()
        await self._positions.__aexit__(kind, error, trace)

    async def settle(self, within: float = 60.0) -> None:
        """Wait until every event is relayed and processed, with all the work that it causes.

        Raises TimeoutError.
        """
        deadline = time.monotonic() + within
        before: dict[TopicPartition, int] | None = None
        while True:
            waiting = await self.waiting()
            ends = None if waiting else await self._positions.ends()
            # Twice the same state in a row: no consumer was just about to record more.
            if ends is not None and ends == before:
                return
            before = ends
            if time.monotonic() > deadline:
                raise TimeoutError(f"events still on their way after {within} s: {waiting}")
            await asyncio.sleep(0.03)

    async def waiting(self) -> list[str]:
        """Describe the work on its way, as far as the first kind of it; empty if there is none."""
        # The cheapest look comes first: it is the one that is repeated while events are processed.
        return await self._lagging() or await self.pending() or await self._sweeping()

    async def _lagging(self) -> list[str]:
        lags = await self._positions.lags()
        return [f"{lag.service} has not processed all of {lag.topic}" for lag in lags if lag.lag]

    async def _sweeping(self) -> list[str]:
        try:
            moving = await branches_to_move(self._circulation)
            settling = await rooms_to_settle(self._events)
            return [
                *(f"due dates of {branch}" for branch in moving),
                *(f"study room of {branch}" for branch in settling),
            ]
        except PyMongoError:
            return ["the database does not answer"]

    async def pending(self) -> list[str]:
        """Return the outboxes that are not empty."""
        pending = await asyncio.gather(*(self._pending(service) for service in NAMES))
        return [text for text in pending if text]

    async def _pending(self, service: str) -> str:
        try:
            async with self._session.get(
                f"{self._system.operations_url(service)}/health/ready"
            ) as response:
                report: dict[str, Any] = await response.json()
        except (aiohttp.ClientError, TimeoutError):
            return f"{service} does not answer"
        if "outbox_seconds" not in report:  # a problem instead of a report: it had no time
            return f"{service} does not answer"
        return f"outbox of {service}" if report["outbox_seconds"] else ""

    async def counts(self) -> dict[str, int]:
        """Return the number of events on each topic, in order of name, without empty topics."""
        ends = await self._positions.ends()
        counts: dict[str, int] = {}
        for partition, end in sorted(ends.items()):
            if end:
                counts[partition.topic] = counts.get(partition.topic, 0) + end
        return counts
