"""Uvicorn's protocol with a limit on the bytes it reads before a request has begun."""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD = 64 * 1024
"""Bytes of a request's first line and headers. The parser has no limit of its own."""
PIECE = 4 * 1024
"""Bytes fed to the parser at once: the end of a head is known to within this size."""

_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"Content-Length: 0\r\nConnection: close\r\n\r\n"
)


class BoundedProtocol(HttpToolsProtocol):
    """Closes a connection whose head is too long; a body that comes with a head is not counted."""

    _head_bytes = 0
    _in_head = True

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
                    self.transport.write(_TOO_LARGE)
                    self.transport.close()

    def on_message_begin(self) -> None:
        """Start to count the bytes of a head."""
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Stop counting: what follows is a body, which has its own limit."""
        self._in_head, self._head_bytes = False, 0
        super().on_headers_complete()
