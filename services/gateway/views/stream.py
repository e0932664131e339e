"""Stream an account as it changes: server-sent events for all its readers.

One change stream of the replica reports whose view was written. That account is built again, and
each of its readers is sent the parts that differ from what it has. The id of the reader's last
event says what it has: it is a digest of each part. So no state is kept of readers that disconnect:
a reader that comes back, to any replica, is sent what it missed and no more. A broken change stream
needs no resume token: once it is open again, all accounts with readers are built again.
"""

import asyncio
import base64
import contextlib
import hashlib
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import orjson
import structlog
from fastapi import FastAPI, Response
from prometheus_client import Counter, Gauge
from pymongo.errors import PyMongoError
from starlette.types import Receive, Scope, Send

from services.gateway.views.store import reads
from services.gateway.views.store.schema import WHOLE
from shared.auth import Caller, Verifier
from shared.clock import wall_clock
from shared.http.problems import UNAVAILABLE, problem
from shared.owners import OwnerAway
from shared.refusals import PlainProblem

log = structlog.get_logger()

OPEN = Gauge("carrel_streams_open", "Streams of accounts that are being read")
ENDED = Counter("carrel_streams_ended", "Streams of accounts that ended, by reason", ["reason"])

EACH = 6
"""Maximum number of streams of one patron at a replica."""
MOST = 800
"""Maximum number of streams at a replica, below the usual limit of 1024 open files."""
LOOKS_AT_ONCE = 8
BEAT_SECONDS = 15.0
"""Interval of keep-alive comments: a proxy ends a connection that is silent for a minute."""
LOOK_SECONDS = 60.0
"""Interval of checks for changes outside the view: the day, places in line, liveness."""
AGAIN_SECONDS = 1.0
"""Delay after a check that failed."""
SLOW_SECONDS = 5.0
"""Time limit for a reader to accept an event."""
LAST_WORD_SECONDS = 20.0
"""Time limit for a reader to accept the last event."""
RETRY_MS = 2000
TOO_MANY_STREAMS = PlainProblem("too-many-streams", 429)
_NOTHING = b": all is as it was\n\n"
_DIGEST = 8
"""Characters of the digest of each part."""


class Streams:
    """The readers of accounts at this replica."""

    def __init__(self, *, each: int = EACH, most: int = MOST) -> None:
        self.each = each
        self.most = most
        self.read = asyncio.Event()
        """Set while there are readers."""
        self.looking = asyncio.Semaphore(LOOKS_AT_ONCE)
        self.stopping = False
        self._readers: dict[str, set[asyncio.Event]] = {}
        self._count = 0

    def refusal(self, patron_id: str) -> Response | None:
        """Return the refusal of another stream for a patron; None if it is allowed."""
        if self.stopping or self._count >= self.most:
            detail = "Too many accounts are followed at the moment. Try again."
            return problem(UNAVAILABLE, detail, headers={"Retry-After": "5"})
        if len(self._readers.get(patron_id, ())) >= self.each:
            detail = f"An account may be followed {self.each} times at once. Close another."
            return problem(TOO_MANY_STREAMS, detail, headers={"Retry-After": "30"})
        return None

    @contextlib.contextmanager
    def reading(self, patron_id: str) -> Iterator[asyncio.Event]:
        """Register a reader for the block; its event is set when the account may have changed."""
        wake = asyncio.Event()
        self._readers.setdefault(patron_id, set()).add(wake)
        self._count += 1
        OPEN.set(self._count)
        self.read.set()
        try:
            yield wake
        finally:
            self._readers[patron_id].discard(wake)
            if not self._readers[patron_id]:
                del self._readers[patron_id]
            self._count -= 1
            OPEN.set(self._count)
            if not self._readers:
                self.read.clear()

    def changed(self, patron_id: str) -> None:
        """Wake the readers of an account that was written."""
        for wake in self._readers.get(patron_id, ()):
            wake.set()

    def all_changed(self) -> None:
        """Wake all readers, because any account may have been written."""
        for patron_id in self._readers:
            self.changed(patron_id)

    def stop(self) -> None:
        """Tell each reader that the replica stops."""
        self.stopping = True
        self.all_changed()


async def watch(app: FastAPI) -> None:
    """Wake the readers of each account that is written, until cancelled."""
    streams: Streams = app.state.streams
    while True:
        await streams.read.wait()
        try:
            async with contextlib.aclosing(reads.written(app.state.database)) as written:
                async for patron_id in written:
                    if patron_id in ("", WHOLE):  # "": the watch has begun
                        streams.all_changed()
                    else:
                        streams.changed(patron_id)
                    if not streams.read.is_set():
                        break
        except PyMongoError as error:
            log.warning("accounts are not watched", error=type(error).__name__)
        await asyncio.sleep(0.1)  # the views were replaced, or the store is away


async def stop_in_time(app: FastAPI) -> None:
    """Tell the readers as soon as the server stops, because it waits for answers to end."""
    await app.state.stopping.wait()
    app.state.streams.stop()


def stream(app: FastAPI, caller: Caller, now: datetime, last_event_id: str) -> Response:
    """Return the caller's account as server-sent events, until their token expires or is refused.

    `last_event_id` says what the reader has: the id of its last event, or the `event_id` of an
    account that `GET /v1/me` answered. Without one that can be used, the first event has all parts.
    Business time continues from `now`. Too many streams give a 429 or 503, views that cannot be
    read now a 503.
    """
    opened = time.monotonic()

    async def look() -> dict[str, Any]:
        passed = timedelta(seconds=time.monotonic() - opened)
        account: dict[str, Any] = await app.state.overviews.look(caller, now + passed)
        return account

    def refused() -> bool:
        verifier: Verifier = app.state.verifier
        return verifier.has_ended(caller.session_id)

    return _Stream(app.state.streams, look, caller, refused, last_event_id)


def event_id(account: Mapping[str, Any]) -> str:
    """Return the id that represents an account of `GET /v1/me`: a digest of each part, in order."""
    return "".join(_digest(orjson.dumps(part)) for part in account.values())


def _digest(part: bytes) -> str:
    digest = hashlib.blake2b(part, digest_size=_DIGEST * 6 // 8).digest()
    return base64.urlsafe_b64encode(digest).decode()


class _Slow(Exception):
    """The reader accepts no data."""


class _Stream(Response):
    """One reader's stream. Nothing is queued: a slow reader is sent the newest state, once."""

    def __init__(
        self,
        streams: Streams,
        look: Callable[[], Awaitable[dict[str, Any]]],
        caller: Caller,
        refused: Callable[[], bool],
        last_event_id: str,
    ) -> None:
        super().__init__(
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
            media_type="text/event-stream",
        )
        del self.headers["content-length"]
        self._streams = streams
        self._account = look
        self._caller = caller
        self._refused = refused
        self._has = last_event_id
        self._wake = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the stream, or with its refusal."""
        refusal = self._streams.refusal(self._caller.id)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        with self._streams.reading(self._caller.id) as self._wake:
            first = await self._changes()
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            writing = asyncio.create_task(self._write(send, first))
            gone = asyncio.create_task(_gone(receive))
            try:
                await asyncio.wait((writing, gone), return_when=asyncio.FIRST_COMPLETED)
                ENDED.labels(writing.result() if writing.done() else "gone").inc()
            finally:
                writing.cancel()
                gone.cancel()

    async def _write(self, send: Send, first: bytes) -> str:
        """Write all events including the last; return why the stream ended."""
        try:
            reason = await self._follow(send, first)
        except _Slow:
            reason = "slow"
        wait = RETRY_MS + secrets.randbelow(RETRY_MS)  # spreads the reconnects over time
        word = f'retry: {wait}\nevent: end\ndata: {{"reason":"{reason}"}}\n\n'.encode()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORD_SECONDS):
                await send({"type": "http.response.body", "body": word})
        return reason

    async def _follow(self, send: Send, first: bytes) -> str:
        """Write changes as they happen; return why the stream has to end. Raises _Slow."""
        await self._say(send, b"retry: %d\n\n%s" % (RETRY_MS, first or _NOTHING))
        said_at = time.monotonic()
        look_at = said_at + LOOK_SECONDS
        while True:
            left = self._caller.expires_at - wall_clock().timestamp()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(said_at + BEAT_SECONDS - time.monotonic(), left)):
                    await self._wake.wait()
            if self._streams.stopping:
                return "stopping"
            if wall_clock().timestamp() >= self._caller.expires_at:
                return "token-expired"
            if self._refused():
                return "session-ended"
            event = b""
            if self._wake.is_set() or time.monotonic() >= look_at:
                look_at = time.monotonic() + LOOK_SECONDS
                event = await self._look()
            if event or time.monotonic() >= said_at + BEAT_SECONDS:
                await self._say(send, event or _NOTHING)
                said_at = time.monotonic()

    async def _say(self, send: Send, message: bytes) -> None:
        try:
            async with asyncio.timeout(SLOW_SECONDS):
                await send({"type": "http.response.body", "body": message, "more_body": True})
        except TimeoutError:
            raise _Slow from None

    async def _look(self) -> bytes:
        """Return the changes; while they cannot be read, return none and check again soon."""
        self._wake.clear()
        try:
            async with self._streams.looking:
                return await self._changes()
        except (PyMongoError, OwnerAway):
            asyncio.get_running_loop().call_later(AGAIN_SECONDS, self._wake.set)
            return b""

    async def _changes(self) -> bytes:
        """Return an event with the parts that the reader lacks; empty if it has all."""
        bodies = {part: orjson.dumps(value) for part, value in (await self._account()).items()}
        digests = {part: _digest(body) for part, body in bodies.items()}
        new = "".join(digests.values())
        known = self._has if len(self._has) == len(new) else ""
        starts = range(0, len(new), _DIGEST)
        changed = {
            part: orjson.Fragment(bodies[part])
            for start, (part, digest) in zip(starts, digests.items(), strict=True)
            if known[start : start + _DIGEST] != digest
        }
        self._has = new
        if not changed:
            return b""
        data = orjson.dumps(changed)
        return b"id: %s\nevent: account\ndata: %s\n\n" % (new.encode(), data)


async def _gone(receive: Receive) -> None:
    """Wait until the reader disconnects."""
    while (await receive())["type"] != "http.disconnect":
        pass
