"""A real HTTP server in this event loop that takes POST requests, and can be made to refuse."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from aiohttp import web

from tests import warm


@dataclass(frozen=True)
class Received:
    """A request that arrived."""

    path: str
    headers: dict[str, str]
    """With names in small letters."""
    content: bytes


@dataclass
class Receiver:
    """The server; for each request the next status, and 204 when there is none."""

    port: int = 0
    requests: list[Received] = field(default_factory=list)
    """Requests that it has received, whether the client learnt of it or not."""
    answers: deque[int] = field(default_factory=deque)
    drops: int = 0
    """Number of next requests after which it drops the connection without an answer."""
    location: str = ""
    """Address that it redirects to, with a status of 300 to 399."""
    body: bytes = b""
    """Body of each answer."""
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    """Cleared: requests are received, and the answer waits."""

    def __post_init__(self) -> None:
        self.may_answer.set()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def ids(self) -> list[str]:
        """The `webhook-id` of each request, repeats included."""
        return [one.headers["webhook-id"] for one in self.requests]

    async def handle(self, request: web.Request) -> web.Response:
        """Receive a request and answer it."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.requests.append(Received(request.path, headers, await request.read()))
        if self.drops:
            self.drops -= 1
            assert request.transport is not None
            request.transport.abort()
        await self.may_answer.wait()
        status = self.answers.popleft() if self.answers else 204
        told = {"Location": self.location} if 300 <= status < 400 else {}
        return web.Response(status=status, headers=told, body=self.body or None)


@contextlib.asynccontextmanager
async def receiving(receiver: Receiver) -> AsyncIterator[Receiver]:
    """Let the receiver listen on a free port, or on the one that it had, until the block ends."""
    app = web.Application()
    app.router.add_post("/{path:.*}", receiver.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    with warm.port_for("receiver", receiver.port) as receiver.port:
        await web.SockSite(runner, warm.listening(receiver.port)).start()
        try:
            yield receiver
        finally:
            receiver.may_answer.set()
            await runner.cleanup()
