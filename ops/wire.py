"""Uvicorn's protocol with limits on what it reads before a request has begun.

A head has a limit of bytes and of time. What can't be read as a request is answered with a problem,
as every other failure is.
"""

import asyncio
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from shared.http.problems import problem
from shared.refusals import PlainProblem

MAX_HEAD = 64 * 1024
"""Bytes of a request's first line and headers. The parser has no limit of its own."""
PIECE = 4 * 1024
"""Bytes fed to the parser at once: the end of a head is known to within this size."""
HEAD_SECONDS = 10.0
"""Seconds from the first byte of a head, or from the start of a connection, to the head's end."""

_VERSIONS = ("1.0", "1.1")

HEAD_TOO_LARGE = PlainProblem("headers-too-large", 431)
HEAD_TOO_SLOW = PlainProblem("request-too-slow", 408)
NO_REQUEST = PlainProblem("no-request", 400)


class BoundedProtocol(HttpToolsProtocol):
    """Closes a connection whose head is too long or too slow; a body has its own limits."""

    _head_bytes = 0
    _in_head = True
    _between = False
    """True after a whole request, until the next one begins."""
    _waits: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Start to wait for the first head."""
        super().connection_made(transport)
        self._wait(HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._wait(None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the received bytes to the parser until a head has grown too large."""
        rest = memoryview(data)
        while rest and not self.transport.is_closing():
            size = min(PIECE, MAX_HEAD - self._head_bytes) if self._in_head else PIECE
            piece, rest = bytes(rest[:size]), rest[size:]
            super().data_received(piece)
            if self._in_head:
                self._head_bytes += len(piece)
                if self._head_bytes >= MAX_HEAD:
                    self._refuse(HEAD_TOO_LARGE, f"A head may have {MAX_HEAD} bytes.")
        if self._in_head:
            if self._waits is None:
                self._wait(HEAD_SECONDS)
        elif self._between and not self._responds():
            # Empty lines between two requests end uvicorn's own wait for the next one.
            self._wait(self.timeout_keep_alive)
        else:
            self._wait(None)

    def on_message_begin(self) -> None:
        """Start to count the bytes of a head."""
        self._in_head, self._between = True, False
        self._wait(None)
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Stop counting: what follows is a body, which has its own limit.

        Refuse a request of another version, and one of HTTP/1.1 without a host, which it has to
        name (RFC 9112, section 3.2). The parser makes a call of `send_400_response` of the error.
        """
        version = self.parser.get_http_version()
        if version not in _VERSIONS:
            raise ValueError("another version of HTTP")
        if version == "1.1" and all(name != b"host" for name, _ in self.headers):
            raise ValueError("no host")
        self._in_head, self._head_bytes = False, 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Note that the next bytes are not part of this request."""
        self._between = True
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's text says less
        """Answer bytes that are no request with a problem, and close."""
        self._refuse(NO_REQUEST, "This is not a request of HTTP/1.1.")

    def _responds(self) -> bool:
        cycle: Any = self.cycle  # None before the first request
        return cycle is not None and not cycle.response_complete

    def _wait(self, seconds: float | None) -> None:
        """Close the connection in some seconds unless a head ends before; None: do not."""
        if self._waits is not None:
            self._waits.cancel()
        self._waits = None if seconds is None else self.loop.call_later(seconds, self._waited)

    def _waited(self) -> None:
        self._waits = None
        if self.transport.is_closing():
            return
        if self._responds():
            self._wait(HEAD_SECONDS)  # the head of the next request waits for this response
        elif self._in_head and self._head_bytes:
            self._refuse(HEAD_TOO_SLOW, f"A head may take {HEAD_SECONDS:.0f} seconds.")
        else:
            self.transport.close()

    def _refuse(self, kind: PlainProblem, detail: str) -> None:
        headers = {"Connection": "close", "Cache-Control": "no-store"}
        answer = problem(kind, detail, headers=headers | {"X-Content-Type-Options": "nosniff"})
        head = [f"HTTP/1.1 {kind.status} {HTTPStatus(kind.status).phrase}".encode("ascii")]
        head += [name + b": " + value for name, value in answer.raw_headers]
        self.transport.write(b"\r\n".join([*head, b"", bytes(answer.body)]))
        self.transport.close()
