"""`GET /v1/me` against a minimal app that returns the same bytes with the driver's `find_one`.

    .venv/bin/python -m benchmarks.overview [--json] [--views 1000000]

Each is one uvicorn process on the same mongod, called by one caller and by 32 in alternating
rounds, so that a noisy machine disturbs both. Two ratios are the result: answers a second, and
processor time for one answer, which depends less on the machine's load. No test asserts them.
"""

import asyncio
import contextlib
import os
import secrets
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
from bson import ObjectId
from starlette.types import Receive, Scope, Send

from benchmarks.at_rest import seconds_of
from benchmarks.show import machine, options, serving, show
from ops.infrastructure import ports
from ops.infrastructure.embedded import embedded
from services.gateway.views.store.schema import FORM, INDEXES, WHOLE
from shared.assertions import make_key
from shared.declared_indexes import ensure_indexes
from shared.mongo import Database, Document, connect
from tests.support import test_keys, token, until

CALLERS = (1, 32)
"""The numbers of callers at once that are measured."""
ROUNDS = 3
SECONDS = 2.0
ACCOUNTS = 64
"""Accounts for each number of loans, asked for in turn."""
LOANS = (0, 10, 2000)
NOW = datetime.now(UTC)


# ---- the yardstick ------------------------------------------------------------------------------

_bodies: Any = None


async def bare(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer the stored bytes of the patron whose id is the path."""
    global _bodies  # noqa: PLW0603 - a minimal app
    if scope["type"] == "lifespan":
        client = connect(os.environ["CARREL_MONGO_URL"])
        _bodies = client[f"{os.environ['CARREL_DATABASE_PREFIX']}_gateway"].bodies
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        client.close()
        await send({"type": "lifespan.shutdown.complete"})
        return
    found = await _bodies.find_one({"_id": scope["path"][1:]}) or {"body": b""}
    headers = [(b"content-type", b"application/json")]
    body = found["body"]
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


# ---- accounts -----------------------------------------------------------------------------------


def loan(number: int) -> Document:
    """Return an open loan as the views store it, due in two weeks."""
    return {
        "version": 1,
        "state": "open",
        "title_id": f"title-{number % 50}",
        "barcode": f"B{number:09}",
        "branch": "HKCL",
        "borrowed_on": NOW.date().isoformat(),
        "due_on": (NOW.date() + timedelta(days=14 + number % 7)).isoformat(),
        "renewals_left": 5,
        "claimed_returned_on": None,
        "title": f"A title of the usual length, number {number}",
        "title_version": 1,
    }


def view(patron_id: str, loans: int) -> Document:
    """Return a patron's view with that number of loans."""
    return {
        "_id": patron_id,
        "patron": {
            "version": 1,
            "category": "adult",
            "home_branch": "HKCL",
            "language": "en",
            "status": "active",
        },
        "heard": {"accounts": NOW, "circulation": NOW},
        "stamp": ObjectId(),
        "loans": {secrets.token_hex(16): loan(number) for number in range(loans)},
        "title_ids": [f"title-{number}" for number in range(min(loans, 50))],
    }


async def fill(database: Database, views: int) -> None:
    """Insert the measured accounts, and `views` more."""
    await database.account_views.insert_one({"_id": WHOLE, "since": NOW, "form": FORM})
    await database.known_keys.insert_one({"_id": "accounts", **await test_keys()})
    for loans in LOANS:
        await database.account_views.insert_many(
            [view(f"p{loans}-{number}", loans) for number in range(ACCOUNTS)]
        )
    for start in range(0, views, 10_000):
        await database.account_views.insert_many(
            [view(f"many-{number}", 2) for number in range(start, min(start + 10_000, views))],
            ordered=False,
        )


# ---- measuring ----------------------------------------------------------------------------------


class Caller:
    """Asks for accounts in turn."""

    def __init__(self, session: aiohttp.ClientSession, servers: Sequence[tuple[int, str]]) -> None:
        self.session = session
        (self.gateway_pid, self.gateway), (self.bare_pid, self.bare_url) = servers
        self.tokens: dict[str, str] = {}
        self.refused = 0

    async def ours(self, patron: str) -> bytes:
        """Return the gateway's answer."""
        async with self.session.get(
            f"{self.gateway}/v1/me", headers=self._headers(patron)
        ) as answer:
            body = await answer.read()
            if answer.status != 200:
                self.refused += 1  # on a busy machine the answer may come too late
            return body

    async def theirs(self, patron: str) -> bytes:
        """Return the minimal app's answer to the same headers."""
        async with self.session.get(
            f"{self.bare_url}/{patron}", headers=self._headers(patron)
        ) as answer:
            return await answer.read()

    def _headers(self, patron: str) -> dict[str, str]:
        if patron not in self.tokens:
            self.tokens[patron] = token(patron, name="Chan Mei-ling")
        return {
            "Authorization": f"Bearer {self.tokens[patron]}",
            "Accept-Encoding": "identity",  # the yardstick compresses nothing
        }


Ask = Callable[[str], Awaitable[bytes]]


async def waits(ask: Ask, patrons: list[str], count: int, seconds: float) -> list[float]:
    """Return the seconds that each answer took, with that many callers for `seconds`."""
    taken: list[float] = []
    end = time.perf_counter() + seconds

    async def work(first: int) -> None:
        number = first
        while (started := time.perf_counter()) < end:
            await ask(patrons[number % len(patrons)])
            taken.append(time.perf_counter() - started)
            number += count

    await asyncio.gather(*(work(number) for number in range(count)))
    return taken


async def round_of(
    ask: Ask, pid: int, patrons: list[str], count: int
) -> tuple[float, float, float]:
    """Return answers a second, processor microseconds for one, and the 95th percentile in ms."""
    before, started = seconds_of(pid), time.perf_counter()
    taken = sorted(await waits(ask, patrons, count, SECONDS))
    rate = len(taken) / (time.perf_counter() - started)
    return rate, (seconds_of(pid) - before) * 1e6 / len(taken), taken[int(len(taken) * 0.95)] * 1000


async def compared(caller: Caller, database: Database, loans: int, count: int) -> Document:
    """Return the medians of alternating rounds, and of their ratios, with that many callers."""
    patrons = [f"p{loans}-{number}" for number in range(ACCOUNTS)]
    for patron in patrons:
        body = await caller.ours(patron)
        await database.bodies.replace_one({"_id": patron}, {"body": body}, upsert=True)
        if await caller.theirs(patron) != body:
            raise RuntimeError("the yardstick answers something else")
    caller.refused = 0
    theirs, ours = [], []
    for _ in range(ROUNDS):
        theirs.append(await round_of(caller.theirs, caller.bare_pid, patrons, count))
        ours.append(await round_of(caller.ours, caller.gateway_pid, patrons, count))
    pairs = list(zip(ours, theirs, strict=True))
    return {
        "bytes": len(body),
        "per_second": round(statistics.median(rate for rate, _, _ in ours)),
        "bare_per_second": round(statistics.median(rate for rate, _, _ in theirs)),
        "ratio": round(statistics.median(b[0] / o[0] for o, b in pairs), 2),
        "processor_us": round(statistics.median(us for _, us, _ in ours)),
        "bare_processor_us": round(statistics.median(us for _, us, _ in theirs)),
        "processor_ratio": round(statistics.median(o[1] / b[1] for o, b in pairs), 2),
        "p95_ms": round(statistics.median(p95 for _, _, p95 in ours), 1),
        "bare_p95_ms": round(statistics.median(p95 for _, _, p95 in theirs), 1),
        "refused": caller.refused,
    }


async def among_many(caller: Caller, views: int) -> Document:
    """Measure answers to patrons who were not answered before, among that number of views."""
    picked = [f"many-{secrets.randbelow(views)}" for _ in range(min(views, 20_000))]
    for patron in picked:
        caller.tokens[patron] = token(patron, name="Chan Mei-ling")
    rate, processor_us, p95 = await round_of(caller.ours, caller.gateway_pid, picked, CALLERS[-1])
    return {
        "views": views,
        "per_second": round(rate),
        "processor_us": round(processor_us),
        "p95_ms": round(p95, 1),
    }


@contextlib.asynccontextmanager
async def callers(servers: Sequence[tuple[int, str]], operations: str) -> AsyncIterator[Caller]:
    """Yield a caller when both servers answer; `operations` is the gateway's port of operations."""
    async with aiohttp.ClientSession() as session:

        async def ready(url: str) -> bool:
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(url) as answer:
                    return answer.status == 200
            return False

        await until(lambda: ready(f"http://127.0.0.1:{operations}/health/ready"), within=60)
        await until(lambda: ready(f"{servers[1][1]}/ready"), within=60)
        yield Caller(session, servers)


async def measure(
    environment: dict[str, str], servers: Sequence[tuple[int, str]], views: int
) -> Document:
    """Return every figure; `servers` are the process ids and addresses, the yardstick last."""
    client = connect(environment["CARREL_MONGO_URL"])
    database = client[f"{environment['CARREL_DATABASE_PREFIX']}_gateway"]
    await ensure_indexes(database, INDEXES)
    await fill(database, views)
    async with callers(servers, environment["CARREL_OPERATIONS_PORT"]) as caller:
        found = {
            f"{loans} loans, {count} callers": await compared(caller, database, loans, count)
            for loans in LOANS
            for count in CALLERS
        }
        many = await among_many(caller, views) if views else None
    client.close()
    return {
        "machine": machine(),
        "loans": found,
        "among": many,
    }


def main() -> None:
    """Start a database and both servers, measure and print."""
    asked = options(views=10_000)
    with (
        tempfile.TemporaryDirectory() as folder,
        embedded(Path(folder), kafka=False, mongo_port=None) as infrastructure,
    ):
        first, second, operations = (ports.reserve() for _ in range(3))
        environment = {
            "CARREL_MONGO_URL": infrastructure.mongo_url,
            "CARREL_DATABASE_PREFIX": "bench",
            "CARREL_ROLES": "api",
            "CARREL_PORT": str(first),
            "CARREL_OPERATIONS_PORT": str(operations),
            "CARREL_LOG_LEVEL": "warning",
            "CARREL_SERVICE_SECRET": secrets.token_hex(16),
            "CARREL_AUDIT_KEYS": secrets.token_hex(16),
            "CARREL_SERVICE_KEY": make_key(),
        }
        app = ["uvicorn", "benchmarks.overview:bare", "--port", str(second), "--loop", "uvloop"]
        quiet = ["--http", "httptools", "--no-access-log", "--log-level", "error"]
        with (
            serving(["ops", "serve", "gateway"], environment) as gateway,
            serving([*app, *quiet], environment) as yardstick,
        ):
            urls = [f"http://127.0.0.1:{port}" for port in (first, second)]
            servers = list(zip((gateway, yardstick), urls, strict=True))
            found = asyncio.run(measure(environment, servers, asked.views))
    rows = {"machine": found["machine"], **found["loans"], "many patrons": found["among"] or {}}
    show(found if asked.json else rows, as_json=asked.json)


if __name__ == "__main__":
    main()
