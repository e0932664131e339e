"""The limit on a request's head, tested on raw sockets, however the bytes are split."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI, Request

from ops import wire
from ops.server import Server
from ops.wire import BoundedProtocol
from tests import patience

LIMIT = 90
BODY = b"x" * 2000
PART_OF_A_HEAD = b"POST / HTTP/1.1\r\nHost: h\r\nA: "


@contextlib.asynccontextmanager
async def listening(**more: Any) -> AsyncIterator[int]:
    """Run a server with our protocol that answers the length of each body; yield its port."""
    app = FastAPI()

    @app.post("/")
    async def length(request: Request) -> int:
        return len(await request.body())

    bound = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, http=BoundedProtocol, log_config=None, access_log=False, **more)
    server = Server(app, config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    serving = asyncio.create_task(server.serve(sockets=[bound]))
    try:
        async with patience.within(60):
            while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
                await asyncio.sleep(0.01)
        yield bound.getsockname()[1]
    finally:
        server.should_exit = True
        await serving


def head(size: int, body: bytes) -> bytes:
    """Return a request head of this size for this body."""
    start = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\nA: " % len(body)
    return start + b"a" * (size - len(start) - 4) + b"\r\n\r\n"


async def answered(port: int, *parts: bytes) -> tuple[int, bytes]:
    """Send the parts so that each is read separately; return status and end of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in parts:
            writer.write(part)
            for _ in range(4):
                await asyncio.sleep(0)  # the server reads in the same loop
        async with patience.within(60):
            status = int((await reader.readline()).split()[1])
            said = await reader.readuntil(b"\r\n\r\n")
            body = b"" if b"ontent-length: 0" in said.lower() else await reader.read(64)
        return status, body
    finally:
        writer.close()


async def test_body_bytes_in_the_same_packet_do_not_count_toward_the_header_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(wire, "MAX_HEAD", LIMIT)
    request = head(LIMIT, BODY) + BODY
    async with listening() as port:
        for cut in range(1, LIMIT + 30):
            answer = await answered(port, request[:cut], request[cut:])
            assert answer == (200, b"2000"), cut
        assert await answered(port, request) == (200, b"2000")
        each_byte = [request[at : at + 1] for at in range(LIMIT + 30)]
        assert await answered(port, *each_byte, request[LIMIT + 30 :]) == (200, b"2000")


async def test_headers_over_the_limit_are_refused_however_the_packets_are_split(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(wire, "MAX_HEAD", LIMIT)
    request = head(LIMIT + 1, BODY)
    async with listening() as port:
        for cut in range(1, LIMIT + 1):
            assert (await answered(port, request[:cut], request[cut:]))[0] == 431, cut


async def test_a_large_body_on_a_new_connection_is_accepted() -> None:
    body = b"x" * 200_000
    async with listening() as port:
        assert await answered(port, head(200, body) + body) == (200, b"200000")


async def test_each_request_on_a_connection_has_the_full_header_limit() -> None:
    body = b"x" * 70_000
    async with listening() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(3):
            writer.write(head(60_000, body) + body)
            async with patience.within(60):
                assert b" 200 " in await reader.readline()
                await reader.readuntil(b"\r\n\r\n")
                assert await reader.readexactly(5) == b"70000"
        writer.close()


async def ended(port: int, *parts: bytes) -> bytes:
    """Send the parts and return all that the server says until it closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
        async with patience.within(60):
            return await reader.read()
    finally:
        writer.close()


def problem_in(answer: bytes) -> tuple[int, str]:
    """Return status and code of an answer that is a problem."""
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    fields = dict(line.lower().split(": ", 1) for line in lines[1:])
    assert fields["content-type"] == "application/problem+json"
    assert (fields["connection"], fields["cache-control"]) == ("close", "no-store")
    assert fields["x-content-type-options"] == "nosniff"
    assert int(fields["content-length"]) == len(body)
    told = json.loads(body)
    status = int(lines[0].split()[1])
    assert told["status"] == status
    return status, told["code"]


async def test_a_head_that_does_not_end_is_closed_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "HEAD_SECONDS", 0.2)
    whole = head(200, BODY) + BODY
    async with listening() as port:
        assert problem_in(await ended(port, PART_OF_A_HEAD)) == (408, "request-too-slow")
        assert await ended(port) == b""  # who sends nothing gets no answer
        # The second request on a connection has no more time than the first.
        first, second = (await ended(port, whole + PART_OF_A_HEAD)).split(b"2000", 1)
        assert b" 200 " in first
        assert problem_in(second) == (408, "request-too-slow")


async def test_a_body_may_take_longer_than_a_head(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "HEAD_SECONDS", 0.2)
    async with listening() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head(200, BODY) + BODY[:10])
        await writer.drain()
        await ended(port, PART_OF_A_HEAD)  # began later, and its time is over
        writer.write(BODY[10:])
        async with patience.within(60):
            assert b" 200 " in await reader.readline()
        writer.close()


async def test_empty_lines_keep_no_connection_open(monkeypatch: pytest.MonkeyPatch) -> None:
    async with listening(timeout_keep_alive=1) as port:
        answer = await ended(port, head(200, BODY) + BODY, b"\r\n")
    assert answer.endswith(b"2000")


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nA B: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nA: \x00\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
        b"GET /\r\n\r\n",
        b"POST / HTTP/0.9\r\nHost: h\r\n\r\n",
        b"POST / HTTP/2.0\r\nHost: h\r\n\r\n",
    ],
    ids=[
        *("TLS", "version", "field name", "null byte", "length"),
        *("no host", "no host, a body", "0.9 without a version", "0.9", "2.0"),
    ],
)
async def test_bytes_that_are_no_request_are_answered_with_a_problem(sent: bytes) -> None:
    async with listening() as port:
        assert problem_in(await ended(port, sent)) == (400, "no-request")


async def test_a_request_of_the_former_version_needs_no_host() -> None:
    async with listening() as port:
        assert await answered(port, b"POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc") == (
            200,
            b"3",
        )


async def test_a_head_that_is_too_large_is_answered_with_a_problem() -> None:
    async with listening() as port:
        answer = await ended(port, head(wire.MAX_HEAD + 1, b""))
        assert problem_in(answer) == (431, "headers-too-large")
