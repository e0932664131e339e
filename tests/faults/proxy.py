"""A TCP proxy on the loopback address that can break the network while it runs.

It stands between a client, which connects to `port`, and a server. Bytes that it holds back are
delivered in the end, as by TCP after a partition; `reset`, `forget` and `lose_answer_to` lose data.
"""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ops.infrastructure import ports
from tests import patience

CHUNK = 64 * 1024
_HANG_UP = struct.pack("ii", 1, 0)
"""SO_LINGER with a timeout of 0: closing sends RST."""

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Proxy:
    """Forwards to `server`, a loopback port. Its methods can be called from any thread."""

    def __init__(self, server: int) -> None:
        self.port = ports.reserve()
        self.loop: asyncio.AbstractEventLoop
        """The event loop of the thread that serves."""
        self.ended = asyncio.Event()
        self.seconds_more = 0.0
        self.rate: int | None = None
        self.unanswered = b""
        self.open = asyncio.Event()
        self.open.set()
        self._server = server
        self._connections: set[_Connection] = set()

    def partition(self) -> None:
        """Hold back all bytes in both directions, without closing connections."""
        self.loop.call_soon_threadsafe(self.open.clear)

    def heal(self) -> None:
        """Pass all bytes again, those held back first."""
        self.seconds_more, self.rate, self.unanswered = 0.0, None, b""
        self.loop.call_soon_threadsafe(self.open.set)

    def delay(self, seconds: float) -> None:
        """Delay all bytes by `seconds` in each direction from now on."""
        self.seconds_more = seconds

    def trickle(self, rate: int) -> None:
        """Limit each direction of a connection to `rate` bytes per second from now on."""
        self.rate = rate

    def reset(self) -> None:
        """Reset every open connection; new ones pass."""
        self.loop.call_soon_threadsafe(self._reset)

    def forget(self) -> None:
        """Drop all bytes sent over open connections, like a firewall that lost its state.

        Neither side is notified; new connections pass.
        """
        self.loop.call_soon_threadsafe(self._forget)

    def lose_answer_to(self, request: bytes) -> None:
        """Lose the answer to the next request that contains these bytes, and start a partition.

        The server has then carried the request out, and the client neither knows nor can ask.
        """
        self.unanswered = request

    async def serve(self, listening: Callable[[], object]) -> None:
        """Accept connections until `ended` is set."""
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
    """A client's connection, and the connection to the server for it."""

    def __init__(self, proxy: Proxy, client: Stream, server: Stream) -> None:
        self._proxy = proxy
        self.forgotten = False
        self._client, self._server = client, server
        self._loses_answer = False

    async def forward(self) -> None:
        """Forward in both directions until either side ends."""
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
        """Return received bytes after the network's delay, or none at the end of the stream."""
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
        with contextlib.suppress(OSError):  # the side that closed is noticed by the next read
            target[1].write(data)
            await target[1].drain()

    def reset(self) -> None:
        """Reset the connections to both sides."""
        for _, writer in (self._client, self._server):
            with contextlib.suppress(OSError):
                end: socket.socket = writer.get_extra_info("socket")
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _HANG_UP)
            writer.transport.abort()


@contextmanager
def proxied(server: int) -> Iterator[Proxy]:
    """Run a proxy in front of the server at this port, in its own thread."""
    proxy = Proxy(server)
    listening = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(proxy.serve(listening.set)), daemon=True)
    thread.start()
    assert listening.wait(patience.stretched(10)), "the proxy does not listen"
    try:
        yield proxy
    finally:
        proxy.loop.call_soon_threadsafe(proxy.ended.set)
        thread.join(patience.stretched(10))
        ports.release(proxy.port)
