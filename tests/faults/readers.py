"""Readers of an account's event stream during faults; they check every event."""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import aiohttp
import orjson

from tests.library import Library

SILENCE_SECONDS = 40.0
"""Seconds without bytes after which a connection is dead: keep-alives come every 15 s."""


class Reader:
    """Follows the account of `card` while the block runs, and reconnects like a browser.

    It reconnects to the next of `gateways`, with the id of its last event. `page`: uses the stream
    of the web pages, with a session cookie. `restless`: seconds after which it disconnects itself.
    """

    def __init__(
        self,
        library: Library,
        card: str,
        gateways: Sequence[str],
        *,
        page: bool = False,
        restless: float | None = None,
    ) -> None:
        self.card = card
        self.account: dict[str, Any] = {}
        """The account according to the events so far."""
        self.seen: dict[str, float] = {}
        """The time.monotonic() value at which each loan was first seen, by its barcode."""
        self.events = 0
        self.lines = 0
        """Number of connections so far."""
        self.refused = 0
        self.faults: list[str] = []
        """Events and refusals that it should not have got."""
        self._gateways = gateways
        self._path = "/me/stream" if page else "/v1/me/stream"
        self._headers = {"Carrel-Time": library.now} | (
            {"Cookie": f"carrel_session={library.tokens[card]}"}
            if page
            else {"Authorization": f"Bearer {library.tokens[card]}"}
        )
        self._restless = restless
        self._last = ""
        self._retry = 2.0

    async def __aenter__(self) -> Self:
        limits = aiohttp.ClientTimeout(total=None, connect=5, sock_read=SILENCE_SECONDS)
        self._session = aiohttp.ClientSession(timeout=limits, read_bufsize=2**22)
        self._following = asyncio.create_task(self._follow())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._following.cancel()
        ends = await asyncio.gather(self._following, return_exceptions=True)
        await self._session.close()
        if error is None and not isinstance(ends[0], asyncio.CancelledError):
            raise AssertionError("it followed no longer") from ends[0]

    async def has_begun(self) -> bool:
        """Return whether it has received the account."""
        return bool(self.account)

    async def _follow(self) -> None:
        turn = 0
        while True:
            url = self._gateways[turn % len(self._gateways)] + self._path
            turn += 1
            with contextlib.suppress(aiohttp.ClientError, asyncio.IncompleteReadError):
                await self._read(url)
            await asyncio.sleep(self._retry)

    async def _read(self, url: str) -> None:
        """Read one connection to its end."""
        headers = self._headers | ({"Last-Event-ID": self._last} if self._last else {})
        async with self._session.get(url, headers=headers) as answer:
            if answer.status != 200:
                self.refused += 1
                said = (answer.status, answer.headers.get("Retry-After"))
                if answer.status != 503 or not said[1]:
                    self.faults.append(f"refused with {said}")
                return
            self.lines += 1
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._restless):
                    while True:
                        block = await answer.content.readuntil(b"\n\n")
                        self._apply(block.decode())

    def _apply(self, block: str) -> None:
        fields = dict(
            line.split(": ", 1) for line in block.splitlines() if line and not line.startswith(":")
        )
        if "retry" in fields:
            self._retry = int(fields["retry"]) / 1000
        if fields.get("event") != "account":
            return
        self.events += 1
        self._last = fields["id"]
        changed = orjson.loads(fields["data"])
        old = [part for part, value in changed.items() if self.account.get(part) == value]
        if old or not changed:
            self.faults.append(f"received {list(changed)}, of which it had {old} already")
        self.account |= changed
        for loan in self.account["loans"]:
            self.seen.setdefault(loan["barcode"], time.monotonic())
