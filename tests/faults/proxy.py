"""A TCP proxy on the loopback address, whose network can be broken while it runs.

It stands between a client, which is told `port`, and a server. What it holds back it delivers in
the end, as TCP does after a partition; `reset`, `forget` and `lose_answer_to` lose what they meet.
"""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ops import ports

CHUNK = 64 * 1024
_HANG_UP = struct.pack("ii", 1, 0)
"""SO_LINGER of no time: closing sends RST."""

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Proxy:
    """Forwards to `server`, a port on the loopback address. Its methods can be called anywhere."""

    def __init__(self, server: int) -> None:
        self.port = ports.reserve()
        self.loop: asyncio.AbstractEventLoop
        """Of the thread that it serves in."""
        self.ended = asyncio.Event()
        self.seconds_more = 0.0
        self.rate: int | None = None
        self.unanswered = b""
        self.open = asyncio.Event()
        self.open.set()
        self._server = server
        self._connections: set[_Connection] = set()

    def partition(self) -> None:
        """Nothing passes in either direction, and nobody is told."""
        self.loop.call_soon_threadsafe(self.open.clear)

    def heal(self) -> None:
        """All passes again, what was held back first."""
        self.seconds_more, self.rate, self.unanswered = 0.0, None, b""
        self.loop.call_soon_threadsafe(self.open.set)

    def delay(self, seconds: float) -> None:
        """Whatever is sent from now on takes so much longer, in each direction."""
        self.seconds_more = seconds

    def trickle(self, rate: int) -> None:
        """From now on so many bytes a second pass in each direction of a connection."""
        self.rate = rate

    def reset(self) -> None:
        """Every open connection is reset; new ones pass."""
        self.loop.call_soon_threadsafe(self._reset)

    def forget(self) -> None:
        """What is sent over an open connection vanishes, as at a firewall that lost its state.

        Nobody is told; new connections pass.
        """
        self.loop.call_soon_threadsafe(self._forget)

    def lose_answer_to(self, request: bytes) -> None:
        """The answer to the next request with these bytes in it is lost, and a partition begins.

        So the server has carried it out, the client can't know, and can't ask either.
        """
        self.unanswered = request

    async def serve(self, listening: Callable[[], object]) -> None:
        """Accept connections until it is told that it has `ended`."""
        self.loop = asyncio.get_running_loop()
        async with await asyncio.start_server(self._accept, ports.LOOPBACK, self.port):
            listening()
            await self.ended.wait()
            self._reset()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            server = await asyncio.open_connection(ports.LOOPBACK, self._server)
        except OSError:
            writer.transport.abort()
            return
        connection = _Connection(self, (reader, writer), server)
        self._connections.add(connection)
        await connection.forward()
        self._connections.discard(connection)

    def _forget(self) -> None:
        for connection in self._connections:
            connection.forgotten = True

    def _reset(self) -> None:
        for connection in self._connections:
            connection.reset()


class _Connection:
    """One client's connection, and the one to the server for it."""

    def __init__(self, proxy: Proxy, client: Stream, server: Stream) -> None:
        self._proxy = proxy
        self.forgotten = False
        self._client, self._server = client, server
        self._loses_answer = False

    async def forward(self) -> None:
        """Forward both ways until either side is done."""
        ways = [
            asyncio.create_task(self._requests()),
            asyncio.create_task(self._answers()),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            for _, writer in (self._client, self._server):
                writer.close()

    async def _requests(self) -> None:
        while data := await self._read(self._client):
            if self._proxy.unanswered and self._proxy.unanswered in data:
                self._proxy.unanswered = b""
                self._loses_answer = True
            await self._write(self._server, data)

    async def _answers(self) -> None:
        while data := await self._read(self._server):
            if self._loses_answer:
                self._proxy.open.clear()
                self.reset()
                return
            await self._write(self._client, data)

    async def _read(self, source: Stream) -> bytes:
        """What came, after the time that the network takes for it; nothing at the end."""
        rate = self._proxy.rate
        try:
            data = await source[0].read(max(rate // 10, 1) if rate else CHUNK)
        except OSError:
            return b""
        await asyncio.sleep(self._proxy.seconds_more + (len(data) / rate if rate else 0.0))
        await self._proxy.open.wait()
        return data

    async def _write(self, target: Stream, data: bytes) -> None:
        if self.forgotten:
            return
        with contextlib.suppress(OSError):  # the side that hung up is seen by reading
            target[1].write(data)
            await target[1].drain()

    def reset(self) -> None:
        """Hang up on both sides, without a goodbye."""
        for _, writer in (self._client, self._server):
            with contextlib.suppress(OSError):
                end: socket.socket = writer.get_extra_info("socket")
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _HANG_UP)
            writer.transport.abort()


@contextmanager
def proxied(server: int) -> Iterator[Proxy]:
    """A proxy in front of the server at this port, in a thread of its own."""
    proxy = Proxy(server)
    listening = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(proxy.serve(listening.set)), daemon=True)
    thread.start()
    assert listening.wait(10), "the proxy does not listen"
    try:
        yield proxy
    finally:
        proxy.loop.call_soon_threadsafe(proxy.ended.set)
        thread.join(10)
        ports.release(proxy.port)
