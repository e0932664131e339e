"""A self-check station that sends raw messages."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

from ops.infrastructure.ports import LOOPBACK
from services.gateway.sip2.messages import checksum
from tests import patience

SECONDS = 30.0


class Station:
    """A connection of a station; with `checked` it numbers its messages."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.date = "20201102    100000"
        self.sequence = 0

    @classmethod
    async def open(cls, port: int, address: str) -> Self:
        return cls(*await asyncio.open_connection(LOOPBACK, port, local_addr=(address, 0)))

    async def send(self, message: str | bytes, *, end: bytes = b"\r") -> None:
        sent = message if isinstance(message, bytes) else message.encode()
        self.writer.write(sent + end)
        await self.writer.drain()

    async def receive(self) -> bytes:
        """Return the next answer without its end."""
        async with patience.within(SECONDS):
            return (await self.reader.readuntil(b"\r"))[:-1]

    async def raw(self, message: str | bytes) -> str:
        await self.send(message)
        return (await self.receive()).decode()

    async def ask(self, code: str, fixed: str, **fields: str) -> str:
        """Send a message with `{date}` in its fixed fields; return the answer."""
        return await self.raw(self.text(code, fixed, **fields))

    async def ask_checked(self, code: str, fixed: str, **fields: str) -> str:
        """Do the same with error detection."""
        return await self.raw(self.numbered(self.text(code, fixed, **fields)))

    def text(self, code: str, fixed: str, **fields: str) -> str:
        """Return a message without its end."""
        text = code + fixed.format(date=self.date)
        return text + "".join(f"{name}{value}|" for name, value in fields.items())

    def numbered(self, text: str) -> bytes:
        """Return a message with the next sequence number and its checksum."""
        self.sequence = (self.sequence + 1) % 10
        message = f"{text}AY{self.sequence}AZ".encode()
        return message + checksum(message).encode()

    async def ended(self) -> bool:
        """Return whether the other side has ended the connection."""
        async with patience.within(SECONDS):
            try:
                return await self.reader.read() == b""
            except ConnectionError:
                return True


@asynccontextmanager
async def station(port: int, address: str = LOOPBACK) -> AsyncIterator[Station]:
    opened = await Station.open(port, address)
    try:
        yield opened
    finally:
        opened.writer.close()


def fields(answer: str, fixed: int) -> dict[str, str]:
    """Return the first value of each field after `fixed` characters of fixed fields."""
    found: dict[str, str] = {}
    for part in answer[2 + fixed :].split("|"):
        found.setdefault(part[:2], part[2:])
    return found
