"""Changes of the account are pushed to every client that follows it, from any replica."""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson
import pytest

from services.gateway.settings import Settings
from services.gateway.views import stream
from services.gateway.views.store.builds import begin_build, finish_build
from services.gateway.views.store.schema import WHOLE
from shared.contracts import accounts, circulation, notices
from shared.mongo import Database
from shared.telemetry import REQUESTS
from tests import patience, samples
from tests.gateway.conftest import gateways
from tests.support import Api, token, until

PATRON = token("patron-1", name="Chan Mei-ling")
DAY = "2021-02-10T10:00:00+08:00"
PARTS = {
    "patron",
    "loans",
    "holds",
    "charges",
    "accruing",
    "totals",
    "activities",
    "admissions",
    "bookings",
    "family",
    "enquiries",
    "inbox",
    "sources",
}

Hear = Callable[..., Awaitable[None]]


@dataclass(frozen=True)
class Told:
    """An event of a stream."""

    name: str
    id: str
    data: Any
    retry: int | None


class Reading:
    """An open stream, read like a browser does."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response

    async def told(self, within: float = 10) -> Told:
        """Return the next event; keep-alive comments are skipped."""
        async with patience.within(within):
            while True:
                fields = await self._block()
                if "event" in fields:
                    return Told(
                        fields["event"],
                        fields.get("id", ""),
                        orjson.loads(fields["data"]),
                        int(fields["retry"]) if "retry" in fields else None,
                    )

    async def _block(self) -> dict[str, str]:
        lines = []
        while (line := (await self.response.content.readuntil(b"\n")).decode().rstrip("\n")) != "":
            lines.append(line)
        assert lines or not self.response.content.at_eof(), "the stream has ended"
        return dict(line.split(": ", 1) for line in lines if not line.startswith(":"))

    async def silent(self) -> None:
        """Wait for a keep-alive comment, and fail on any event before it."""
        async with patience.within(60):
            while (line := await self.response.content.readuntil(b"\n")) != b": all is as it was\n":
                assert not line.startswith(b"event"), line

    async def over(self) -> bool:
        """Return whether the server has ended the stream."""
        async with patience.within(60):
            return await self.response.content.read() == b""


@contextlib.asynccontextmanager
async def reading(
    api: Api, *, as_: str = PATRON, after: str = "", at: str = DAY
) -> AsyncIterator[Reading]:
    """Open a stream until the block ends; requested again after a 503."""
    headers = {"Authorization": f"Bearer {as_}", "Carrel-Time": at}
    if after:
        headers["Last-Event-ID"] = after
    async with aiohttp.ClientSession(read_bufsize=2**22) as session:

        async def opened() -> aiohttp.ClientResponse | None:
            response = await session.get(f"{api.url}/v1/me/stream", headers=headers)
            if response.status == 503:
                return None
            assert response.status == 200, await response.text()
            return response

        async with await until(opened) as response:
            yield Reading(response)


async def refused(api: Api, *, as_: str = PATRON) -> tuple[int, str, str | None]:
    """Return status, code and Retry-After of a refused stream."""
    answer = await api.get("/v1/me/stream", as_=as_)
    return answer.status, answer.json()["code"], answer.headers.get("Retry-After")


def open_streams(api: Api) -> int:
    return api.app.state.streams._count  # type: ignore[no-any-return]


@pytest.fixture
async def two(settings: Settings, whole: None) -> AsyncIterator[tuple[Api, Api]]:
    """Two replicas of the gateway."""
    async with gateways(settings, 2) as (one, other):
        yield one, other


@pytest.fixture
async def api(two: tuple[Api, Api]) -> Api:
    return two[0]


async def test_a_stream_begins_with_the_current_account(api: Api, hear: Hear) -> None:
    await hear(samples.loan(circulation.LoanCheckedOut, 1))
    shown = (await api.get("/v1/me", as_=PATRON, at=DAY)).json()
    async with reading(api) as stream_:
        first = await stream_.told()
    assert (first.name, first.data) == ("account", shown)
    assert set(first.data) == PARTS
    assert stream_.response.headers["Content-Type"].startswith("text/event-stream")
    assert stream_.response.headers["Cache-Control"] == "no-store"


async def test_a_change_is_pushed_from_every_replica(two: tuple[Api, Api], hear: Hear) -> None:
    async with reading(two[0]) as one, reading(two[1]) as other:
        for stream_ in (one, other):
            assert set((await stream_.told()).data) == PARTS
        await hear(samples.loan(circulation.LoanCheckedOut, 1))
        pushed = [await stream_.told() for stream_ in (one, other)]
    for event in pushed:
        assert set(event.data) == {"loans", "totals", "sources"}
        assert [loan["id"] for loan in event.data["loans"]] == ["loan-1"]
    assert pushed[0].id == pushed[1].id


async def test_each_state_that_one_replica_writes_is_pushed_by_the_other(
    two: tuple[Api, Api], hear: Hear
) -> None:
    # The latency is measured by benchmarks/pushes.py.
    async with reading(two[1]) as stream_:
        await stream_.told()
        for version in range(1, 12):
            await hear(samples.patron(accounts.PatronUpdated, version, home_branch=f"B{version}"))
            event = await stream_.told()
            assert event.data["patron"]["home_branch"] == f"B{version}"


async def test_a_client_that_reconnects_to_another_replica_gets_only_what_it_missed(
    two: tuple[Api, Api], hear: Hear
) -> None:
    await hear(samples.loan(circulation.LoanCheckedOut, 1))
    async with reading(two[0]) as stream_:
        has = (await stream_.told()).id
    async with reading(two[1], after=has) as stream_:
        await stream_.silent()
    await hear(samples.notification(notices.NotificationDelivered, 1, read=False))
    async with reading(two[1], after=has) as stream_:
        event = await stream_.told()
    assert set(event.data) == {"inbox", "sources"}
    assert event.data["inbox"] == {"unread": 1}


@pytest.mark.parametrize("unknown", ["7", "x" * 88, "ÿ", "a" * 5000])
async def test_an_unknown_event_id_brings_the_whole_account(api: Api, unknown: str) -> None:
    async with reading(api, after=unknown) as stream_:
        assert set((await stream_.told()).data) == PARTS


async def test_a_stream_can_continue_from_the_etag_of_an_account_read(api: Api, hear: Hear) -> None:
    await hear(samples.loan(circulation.LoanCheckedOut, 1))
    shown = (await api.get("/v1/me", as_=PATRON, at=DAY)).json()
    async with reading(api, after=stream.event_id(shown)) as stream_:
        await stream_.silent()


async def test_a_burst_of_changes_is_sent_as_one_only_to_its_own_patron(
    api: Api, hear: Hear
) -> None:
    async with reading(api) as mine, reading(api, as_=token("patron-2")) as theirs:
        await mine.told()
        await theirs.told()
        for number in range(30):
            await hear(samples.loan(circulation.LoanCheckedOut, 1, f"loan-{number}"))
        events = 0
        count = 0
        while count < 30:
            count = len((await mine.told()).data["loans"])
            events += 1
        assert events <= 30
        await hear(samples.patron(accounts.PatronUpdated, 1, patron_id="patron-2"))
        event = await theirs.told()
    assert event.data["patron"]["id"] == "patron-2"
    assert "loans" not in event.data


async def test_a_stream_continues_when_the_views_are_replaced(
    api: Api, hear: Hear, views: Database
) -> None:
    async with reading(api) as stream_:
        await stream_.told()
        building = await begin_build(views, "b1")
        await building["account_views"].insert_one(
            {"_id": "patron-1", "patron": {"version": 1, "category": "child"}}
        )
        await finish_build(building)
        assert (await stream_.told()).data["patron"]["category"] == "child"
        await hear(samples.loan(circulation.LoanCheckedOut, 1))
        assert [loan["id"] for loan in (await stream_.told()).data["loans"]] == ["loan-1"]


async def test_a_stream_continues_after_its_change_stream_and_reads_fail(
    api: Api, hear: Hear, views: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "AGAIN_SECONDS", 0.05)
    async with reading(api) as stream_:
        await stream_.told()
        # For a moment the views are incomplete, as after a loss of the database.
        await views.account_views.drop()
        await hear(samples.loan(circulation.LoanCheckedOut, 1))
        await views.account_views.insert_one({"_id": WHOLE})
        assert [loan["id"] for loan in (await stream_.told()).data["loans"]] == ["loan-1"]


async def test_a_change_without_an_event_of_the_patron_is_pushed(
    api: Api, hear: Hear, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "BEAT_SECONDS", 0.1)
    monkeypatch.setattr(stream, "LOOK_SECONDS", 0.2)
    await hear(samples.hold(circulation.HoldPlaced, 1, "h-1", patron_id="patron-7", place=1))
    await hear(samples.hold(circulation.HoldPlaced, 1, "h-2", place=2))
    async with reading(api) as stream_:
        assert (await stream_.told()).data["holds"][0]["position"] == 2
        gone = {"patron_id": "patron-7", "state": "cancelled"}
        await hear(samples.hold(circulation.HoldCancelled, 2, "h-1", **gone))
        assert (await stream_.told()).data["holds"][0]["position"] == 1


async def test_a_stream_open_over_midnight_shows_the_new_day(
    api: Api, hear: Hear, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "BEAT_SECONDS", 0.1)
    monkeypatch.setattr(stream, "LOOK_SECONDS", 0.2)
    await hear(samples.loan(circulation.LoanCheckedOut, 1, due_on=date(2021, 2, 15)))
    async with reading(api, at="2021-02-15T23:59:59+08:00") as stream_:
        assert (await stream_.told()).data["totals"]["overdue"] == 0
        assert (await stream_.told()).data["totals"]["overdue"] == 1


async def test_an_idle_stream_is_kept_open(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "BEAT_SECONDS", 0.1)
    async with reading(api) as stream_:
        await stream_.told()
        for _ in range(3):
            await stream_.silent()


async def test_a_stream_is_kept_open_while_accounts_cannot_be_read(
    api: Api, hear: Hear, views: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "BEAT_SECONDS", 0.2)
    monkeypatch.setattr(stream, "AGAIN_SECONDS", 0.05)
    async with reading(api) as stream_:
        await stream_.told()
        await views.account_views.delete_one({"_id": WHOLE})
        await hear(samples.loan(circulation.LoanCheckedOut, 1))
        for _ in range(5):
            await stream_.silent()


async def test_a_stream_ends_when_its_token_expires(api: Api) -> None:
    async with reading(api, as_=token("patron-1", expires_in=2)) as stream_:
        await stream_.told()
        end = await stream_.told()
        assert (end.name, end.data) == ("end", {"reason": "token-expired"})
        assert await stream_.over()


async def test_a_stream_is_removed_when_its_client_stops_reading(api: Api) -> None:
    async with reading(api) as stream_:
        await stream_.told()
        assert open_streams(api) == 1

    async def none() -> bool:
        return open_streams(api) == 0

    await until(none)


async def test_streams_are_limited_for_each_patron_and_each_replica(two: tuple[Api, Api]) -> None:
    api = two[0]
    api.app.state.streams.each, api.app.state.streams.most = 2, 3
    async with reading(api), reading(api):
        assert await refused(api) == (429, "too-many-streams", "30")
        async with reading(api, as_=token("patron-2")):
            assert await refused(api, as_=token("patron-3")) == (503, "unavailable", "5")
            async with reading(two[1], as_=token("patron-3")):
                pass


async def test_only_a_patron_can_open_a_stream(api: Api) -> None:
    assert (await refused(api, as_=token("s-1", ("staff",))))[:2] == (403, "forbidden")
    assert (await refused(api, as_=token(expires_in=-60)))[:2] == (401, "unauthenticated")
    assert (await api.get("/v1/me/stream")).status == 401


async def test_incomplete_views_are_not_streamed(
    settings: Settings, views: Database, hear: Hear
) -> None:
    async with gateways(settings, 1) as (api,):
        assert await refused(api) == (503, "unavailable", "2")


async def test_readers_of_a_stopping_replica_are_told_when_to_reconnect(
    settings: Settings, whole: None, hear: Hear
) -> None:
    async with contextlib.AsyncExitStack() as stack:
        async with gateways(settings, 1) as (api,):
            streams = [await stack.enter_async_context(reading(api)) for _ in range(3)]
            for stream_ in streams:
                await stream_.told()
        ends = [await stream_.told() for stream_ in streams]
        assert [end.data for end in ends] == [{"reason": "stopping"}] * 3
        assert all(2000 <= (end.retry or 0) < 4000 for end in ends)


@contextlib.contextmanager
def idle_reader(api: Api) -> Any:
    """Yield the socket of a client that requests a stream and reads nothing."""
    address = urlsplit(api.url)
    reader = socket.socket()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    reader.connect((address.hostname, address.port))
    reader.sendall(
        f"GET /v1/me/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {PATRON}\r\n\r\n".encode()
    )
    with reader:
        yield reader


async def fill(api: Api, hear: Hear, done: Callable[[], bool]) -> None:
    """Change a large account until `done`, or fail once 300 changes have not filled the buffers."""
    for number in range(300):
        loans = [samples.loan(circulation.LoanCheckedOut, 1, f"l-{number}-{n}") for n in range(3)]
        for loan in loans:
            await hear(loan)
        if done():
            return
    raise AssertionError("its buffers do not fill")


async def test_a_client_that_reads_too_slowly_is_told_and_disconnected(
    api: Api, hear: Hear, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "SLOW_SECONDS", 0.2)
    slow = asyncio.Event()
    say = stream._Stream._say

    async def watched(self: Any, send: Any, message: bytes) -> None:
        try:
            await say(self, send, message + b":" + b"x" * 200_000 + b"\n\n")
        except stream._Slow:
            slow.set()
            raise

    monkeypatch.setattr(stream._Stream, "_say", watched)
    with idle_reader(api) as reader:
        await fill(api, hear, slow.is_set)
        loop = asyncio.get_running_loop()
        reader.setblocking(False)
        taken = b""
        async with patience.within(60):
            while chunk := await loop.sock_recv(reader, 2**20):
                taken = (taken + chunk)[-10_000:]
                if b'event: end\ndata: {"reason":"slow"}' in taken:
                    break
    assert b'event: end\ndata: {"reason":"slow"}\n\n' in taken
    await until(lambda: _none_open(api))


async def test_a_client_that_stops_reading_is_disconnected(
    api: Api, hear: Hear, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "SLOW_SECONDS", 0.1)
    monkeypatch.setattr(stream, "LAST_WORD_SECONDS", 0.1)
    say = stream._Stream._say

    async def large(self: Any, send: Any, message: bytes) -> None:
        await say(self, send, message + b":" + b"x" * 200_000 + b"\n\n")

    monkeypatch.setattr(stream._Stream, "_say", large)
    with idle_reader(api):
        await until(lambda: _one_open(api))
        await fill(api, hear, lambda: open_streams(api) == 0)


async def _none_open(api: Api) -> bool:
    return open_streams(api) == 0


async def _one_open(api: Api) -> bool:
    return open_streams(api) == 1


async def test_the_request_metric_measures_the_time_to_the_first_byte_of_a_stream(
    api: Api,
) -> None:
    taken = REQUESTS.labels("gateway", "GET", "/v1/me/stream", 200)
    before = taken._sum.get()
    began = time.monotonic()
    async with reading(api, as_=token("patron-1", expires_in=3)) as stream_:
        await stream_.told()
        first = time.monotonic() - began
        await stream_.told()  # the end, seconds later
        assert await stream_.over()

    async def seconds() -> float:
        return float(taken._sum.get() - before)

    assert 0 < await until(seconds) <= first
