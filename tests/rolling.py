"""Callers who work while the replicas of a service are replaced: no request of theirs may fail."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Self

from fastapi import FastAPI

from services.settings import Settings
from tests.support import Api, served, until

CALLERS, REPLICAS = 20, 2


@dataclass
class Replica:
    """A replica with the number of requests that it is answering."""

    api: Api
    stack: AsyncExitStack
    busy: int = 0


class Balancer:
    """Sends each request to the next replica of a service; a failed one fails the test."""

    def __init__(self, create_app: Callable[[Any], FastAPI], *, own_tokens: bool) -> None:
        self._create_app = create_app
        self._own_tokens = own_tokens
        self._members: list[Replica] = []
        self._turns = itertools.count()

    async def update(self, settings: Settings) -> None:
        """Replace all replicas by those with these settings."""
        former = [*self._members]
        for _ in range(REPLICAS):
            stack = AsyncExitStack()
            replica = served(self._create_app, settings, trust_test_keys=not self._own_tokens)
            self._members.append(Replica(await stack.enter_async_context(replica), stack))
            if former:
                await self._stop(former.pop(0))

    async def stop(self) -> None:
        """Stop all replicas."""
        for replica in [*self._members]:
            await self._stop(replica)

    async def call(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        """Send a request and return the answer, which must be a success."""
        replica = self._members[next(self._turns) % len(self._members)]
        replica.busy += 1
        try:
            answer = await replica.api.call(method, path, body, **more)
        finally:
            replica.busy -= 1
        assert answer.status < 400, f"{method} {path}: {answer.status} {answer.body!r}"
        return answer.json() if answer.body else None

    async def post(self, path: str, body: Any = None, **more: Any) -> Any:
        """Send a POST request."""
        return await self.call("POST", path, body, **more)

    async def _stop(self, replica: Replica) -> None:
        self._members.remove(replica)

        async def is_idle() -> bool:
            return replica.busy == 0

        await until(is_idle, every=0.001)
        await replica.stack.aclose()


@asynccontextmanager
async def stopping(balancer: Balancer) -> AsyncIterator[Balancer]:
    """Stop the replicas when the block ends."""
    try:
        yield balancer
    finally:
        await balancer.stop()


class Callers:
    """Callers who do a piece of work again and again until the block ends."""

    def __init__(self, work: Callable[[int], Awaitable[None]]) -> None:
        self._work = work
        self._done = [0] * CALLERS
        self._enough: list[int] | None = None
        """Pieces of work of each caller after which it pauses, in a round."""
        self._ending = False
        self._next = asyncio.Event()
        """Set at the end of the present round."""
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._go_on(number)) for number in range(CALLERS)]
        await self.round()
        return self

    async def __aexit__(self, kind: object, error: object, trace: object) -> None:
        self._ending = True
        self._release()
        ends = await asyncio.gather(*self._tasks, return_exceptions=True)
        if error is None:
            for end in ends:
                if isinstance(end, BaseException):
                    raise end

    async def round(self) -> None:
        """Wait until each caller has done a piece of work from its beginning to its end.

        Those who are first pause until then.
        """
        enough = self._enough = [done + 2 for done in self._done]

        async def is_over() -> bool:
            for task in self._tasks:
                if task.done():
                    task.result()
            return all(done >= least for done, least in zip(self._done, enough, strict=True))

        await until(is_over, within=180)
        self._release()

    def _release(self) -> None:
        self._enough = None
        self._next.set()
        self._next = asyncio.Event()

    async def _go_on(self, number: int) -> None:
        while not self._ending:
            await self._work(number)
            self._done[number] += 1
            if self._enough and self._done[number] >= self._enough[number]:
                await self._next.wait()
