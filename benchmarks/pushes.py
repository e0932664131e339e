"""The delay until a reader of `GET /v1/me/stream` receives a commit, at each of two gateways.

    .venv/bin/python -m benchmarks.pushes [--json] [--kafka apache]

Copies are lent to a patron and returned. If the command goes to circulation directly, its event
goes through the outbox and the broker to the gateway that consumes it; if it goes to the first
gateway, that gateway applies the change before it answers. In both cases a reader at each gateway
waits for it: first alone, then with 500 others at the second gateway, then while their accounts
change too. Times count from the answer to the command, which comes after the commit; a message
before the answer counts as 0. No test asserts the result.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import orjson

from benchmarks.show import machine, options, running, show
from ops.infrastructure.processes import System
from tests.library import Library

COMMITS = 300
PAUSE = 0.05
"""Seconds from the message about one commit to the next command."""
OTHERS, EACH = 500, 5
"""Further readers, and the number of them that read one account."""
OTHER_COMMITS = 10.0
"""Commits a second to the accounts of the further readers."""
PATIENCE = 10.0

Times = dict[str, list[float]]


class Reader:
    """Follows an account, and notes the time of the first message with each state of its loans."""

    def __init__(self, session: aiohttp.ClientSession, library: Library, url: str, card: str):
        self._session = session
        self._url = url
        self._headers = {
            "Authorization": f"Bearer {library.tokens[card]}",
            "Carrel-Time": library.now,
        }
        self._received: dict[frozenset[str], float] = {}
        self._changed = asyncio.Event()

    async def follow(self, begun: asyncio.Semaphore) -> None:
        """Read the stream until cancelled."""
        async with begun:
            answer = await self._session.get(f"{self._url}/v1/me/stream", headers=self._headers)
            block = await answer.content.readuntil(b"\n\n")
        while True:
            block = await answer.content.readuntil(b"\n\n")
            at = time.perf_counter()
            if b"event: account" not in block:
                continue
            data = orjson.loads(block.partition(b"data: ")[2])
            if "loans" in data:
                self._received[frozenset(loan["barcode"] for loan in data["loans"])] = at
                self._changed.set()

    async def received_at(self, barcodes: frozenset[str]) -> float:
        """Wait for the message that exactly these copies are on loan; return its time, once."""
        async with asyncio.timeout(PATIENCE):
            while barcodes not in self._received:
                self._changed.clear()
                await self._changed.wait()
        return self._received.pop(barcodes)


def desk(session: aiohttp.ClientSession, library: Library, url: str, branch: str) -> Any:
    """Return a function that moves a copy out or back through `url` and returns the answer time."""

    async def ask(path: str, body: dict[str, Any]) -> float:
        headers = {
            "Authorization": f"Bearer {library.tokens['staff']}",
            "Carrel-Time": library.now,
        }
        async with session.post(url + path, json=body, headers=headers) as answer:
            result = await answer.json()
        if answer.status != 200 or not result["results"][0]["ok"]:
            raise RuntimeError(f"{path}: {answer.status} {result}")
        return time.perf_counter()

    async def move(card: str, barcode: str, out: bool) -> float:
        if out:
            body = {"card_number": card, "barcodes": [barcode], "branch": branch}
            return await ask("/v1/checkouts", body)
        body = {"barcodes": [barcode], "branch": branch}
        return await ask("/v1/returns", body | {"channel": "desk"})

    return move


@contextlib.asynccontextmanager
async def reading(readers: list[Reader]) -> AsyncIterator[None]:
    """Let all readers read while the block runs."""
    begun = asyncio.Semaphore(8)
    following = [asyncio.create_task(reader.follow(begun)) for reader in readers]
    for _ in range(8):  # all readers have begun when all slots are free
        await begun.acquire()
    for _ in range(8):
        begun.release()
    try:
        yield
    finally:
        for task in following:
            task.cancel()
        ends = await asyncio.gather(*following, return_exceptions=True)
        broken = [end for end in ends if not isinstance(end, asyncio.CancelledError)]
        if broken:
            raise RuntimeError(f"{len(broken)} readers were cut off: {broken[0]!r}")


async def commits(move: Any, card: str, barcode: str, readers: dict[str, Reader]) -> Times:
    """Return the milliseconds from each answer until each reader had the change."""
    waits: Times = {name: [] for name in readers}
    for turn in range(COMMITS):
        out = turn % 2 == 0
        answered = await move(card, barcode, out)
        state = frozenset({barcode} if out else ())
        for name, reader in readers.items():
            received = await reader.received_at(state)
            waits[name].append(max(received - answered, 0.0) * 1000)
        await asyncio.sleep(PAUSE)
    return waits


async def busy(move: Any, others: Iterator[tuple[str, str]]) -> None:
    """Lend to the other patrons and return, at a steady pace, until cancelled."""
    for card, barcode in others:
        for out in (True, False):
            await move(card, barcode, out)
            await asyncio.sleep(1 / OTHER_COMMITS)


def figures(waits: list[float]) -> dict[str, float]:
    """Return the median, the 99th percentile and the maximum in milliseconds."""
    waits = sorted(waits)
    return {
        "median_ms": round(waits[len(waits) // 2], 1),
        "p99_ms": round(waits[len(waits) * 99 // 100], 1),
        "most_ms": round(waits[-1], 1),
    }


async def measure(running: System) -> list[dict[str, Any]]:
    """Return a row for each path of the change, each load and each reader."""
    rows: list[dict[str, Any]] = []
    gateways = [running.url("gateway", replica) for replica in range(2)]
    async with (
        Library(running) as library,
        aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=None),
            read_bufsize=2**20,
        ) as session,
    ):
        branch = await library.branch()
        card = await library.patron(branch)
        [barcode] = await library.copies(branch, 1)
        patrons = [await library.patron(branch) for _ in range(OTHERS // EACH)]
        copies = await library.copies(branch, 50) + await library.copies(branch, 50)
        await library.flow.settle(within=120)
        ways = {
            "the broker": desk(session, library, running.url("circulation"), branch),
            "the first gateway": desk(session, library, gateways[0], branch),
        }
        timed = {
            name: Reader(session, library, url, card)
            for name, url in zip(("first", "second"), gateways, strict=True)
        }
        others = [Reader(session, library, gateways[1], one) for one in patrons * EACH]
        pairs = list(zip(patrons, copies, strict=False))

        async def measure_load(load: str) -> None:
            for way, move in ways.items():
                waits = await commits(move, card, barcode, timed)
                for reader, found in waits.items():
                    rows.append({"way": way, "load": load, "reader": reader} | figures(found))

        async with reading(list(timed.values())):
            await measure_load("idle")
            async with reading(others):
                await measure_load(f"{OTHERS} readers at the second")
                turns = (pair for _ in range(1000) for pair in pairs)
                working = asyncio.create_task(busy(ways["the broker"], turns))
                await measure_load(
                    f"{OTHERS} readers, with {OTHER_COMMITS:.0f} more commits a second"
                )
                working.cancel()
    return rows


def main() -> None:
    """Start a system, measure and print."""
    asked = options(kafka="embedded")
    with running(asked.kafka, replicas={"gateway": 2}) as measured:
        rows = asyncio.run(measure(measured))
    if not asked.json:
        names = ("load", "way", "reader")
        lines = {", ".join(row.pop(name) for name in names): row for row in rows}
        show({"machine": machine(), **lines}, as_json=False)
    else:
        show({"machine": machine(), "rows": rows}, as_json=True)


if __name__ == "__main__":
    main()
