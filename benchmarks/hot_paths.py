"""The hot paths against the bare driver doing the same work, in one run on one machine.

    .venv/bin/python -m benchmarks.hot_paths [--json]

Rounds of each path alternate with rounds of its yardstick, so that a noisy machine disturbs both;
the ratio is the result. No test asserts it.
"""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable

import aiohttp
from aiokafka import AIOKafkaConsumer

from benchmarks.show import calls, machine, options, p95, running, show
from ops.infrastructure.processes import System
from services.settings import Settings
from shared.ids import new_id
from shared.mongo import MAJORITY, SNAPSHOT, Database, Document, connect
from tests.library import Library

ROUNDS = 5
AT_ONCE = 16
CALLS = 400
LENT = 120
EVENTS = 100

Call = Callable[[int], Awaitable[object]]


def expect(holds: bool, answer: object) -> None:
    """Raise RuntimeError for a wrong answer: only correct answers may be measured."""
    if not holds:
        raise RuntimeError(f"an answer is not what it should be: {answer}")


async def timed(call: Call, count: int, at_once: int = AT_ONCE) -> tuple[float, float]:
    """Make `count` calls, `at_once` at a time; return how many in a second, and p95 in ms."""
    elapsed, milliseconds = await calls(call, range(count), at_once)
    return count / elapsed, p95(milliseconds)


async def compared(path: Call, yardstick: Call, count: int) -> Document:
    """Return medians of alternating rounds: rates and p95 of path and yardstick, and ratios."""
    await timed(path, count // 4)
    await timed(yardstick, count // 4)
    paths, yardsticks = [], []
    for _ in range(ROUNDS):
        paths.append(await timed(path, count))
        yardsticks.append(await timed(yardstick, count))
    ratios = [
        (bare[0] / ours[0], ours[1] / bare[1]) for bare, ours in zip(yardsticks, paths, strict=True)
    ]
    (per_second, slow), (bare_per_second, bare_slow), (ratio, slow_ratio) = (
        tuple(map(statistics.median, zip(*rounds, strict=True)))
        for rounds in (paths, yardsticks, ratios)
    )
    return {
        "per_second": round(per_second),
        "bare_per_second": round(bare_per_second),
        "ratio": round(ratio, 1),
        "p95_ms": round(slow, 1),
        "bare_p95_ms": round(bare_slow, 1),
        "p95_ratio": round(slow_ratio, 1),
    }


async def my_account(library: Library, session: aiohttp.ClientSession, store: Database) -> Document:
    """Measure `GET /v1/me` of a patron with ten loans, against `find_one` of the same view."""
    branch = await library.branch()
    card = await library.patron(branch)
    await library.flow.settle()
    await library.lend(card, await library.copies(branch, 10), branch)
    patron = (await library.get("/v1/me", by=card))["patron"]["id"]
    headers = {
        "Authorization": f"Bearer {library.tokens[card]}",
        "Carrel-Time": library.now,
    }

    async def ask(_: int) -> None:
        async with session.get(f"{library.system.gateway_url}/v1/me", headers=headers) as answer:
            found = await answer.json()
            expect(answer.status == 200 and len(found["loans"]) == 10, found)

    async def read(_: int) -> None:
        view = await store.account_views.find_one({"_id": patron})
        expect(view is not None, view)

    return await compared(ask, read, CALLS)


async def check_out(library: Library, store: Database) -> tuple[Document, Document]:
    """Measure a check-out through the gateway, against the same work in two bare transactions.

    The first reads as a check-out alone needs it, the second is lean: one read, as few writes as
    one can do with, and the view. Each check-out has its own patron and copy, as at the desks of a
    city.
    """
    branch = await library.branch()
    lent = 2 * (LENT * ROUNDS + LENT // 4)
    cards = [await library.patron(branch) for _ in range(lent // 10 + 1)]
    barcodes: list[str] = []
    while len(barcodes) < lent:
        barcodes += await library.copies(branch, 40)
    await library.flow.settle()
    turns = (card for _ in range(10) for card in cards)
    waiting = iter(zip(turns, barcodes, strict=False))

    async def lend(_: int) -> None:
        card, barcode = next(waiting)
        body = {"card_number": card, "barcodes": [barcode], "branch": branch}
        answer = await library.post("/v1/checkouts", body, by="staff")
        expect(answer["results"][0]["ok"], answer)

    copy = await store.copies.find_one({})
    loan = await store.loans.find_one({})
    row = await store.outbox.find_one({})
    for name in ("copies", "loans", "outbox", "borrowers", "patrons", "calendars", "policies"):
        await store[f"bench_{name}"].insert_one({"_id": "seed"})

    async def write(_: int) -> None:
        async with await store.client.start_session() as own:
            own.start_transaction(read_concern=SNAPSHOT, write_concern=MAJORITY)
            for name in ("patrons", "calendars", "policies", "copies", "borrowers"):
                await store[f"bench_{name}"].find_one({"_id": "seed"}, session=own)
            for name, document in (("borrowers", {}), ("copies", copy), ("loans", loan)):
                await store[f"bench_{name}"].insert_one(
                    {**(document or {}), "_id": new_id()}, session=own
                )
            await store.bench_outbox.insert_one({**(row or {}), "_id": new_id()}, session=own)
            await own.commit_transaction()

    async def write_lean(_: int) -> None:
        async with await store.client.start_session() as own:
            own.start_transaction(read_concern=SNAPSHOT, write_concern=MAJORITY)
            await store.bench_patrons.find_one({"_id": "seed"}, session=own)
            for name, document in (
                ("borrowers", {}),
                ("copies", copy),
                ("loans", loan),
                ("policies", {}),
                ("outbox", row),
            ):
                await store[f"bench_{name}"].insert_one(
                    {**(document or {}), "_id": new_id()}, session=own
                )
            await own.commit_transaction()
        await store.bench_calendars.insert_one({"_id": new_id()})

    return await compared(lend, write, LENT), await compared(lend, write_lean, LENT)


async def event(library: Library) -> Document:
    """Return milliseconds from a command's answer to its event at a consumer of the topic."""
    branch = await library.branch()
    consumer = AIOKafkaConsumer(
        "title.catalogued", bootstrap_servers=library.system.infrastructure.kafka
    )
    await consumer.start()
    waits = []
    try:
        for _ in range(EVENTS):
            await library.copies(branch, 1)
            answered = time.perf_counter()
            await consumer.getone()
            waits.append((time.perf_counter() - answered) * 1000)
    finally:
        await consumer.stop()
    hundredths = statistics.quantiles(waits, n=100)
    return {"median_ms": round(hundredths[49], 1), "p99_ms": round(hundredths[98], 1)}


async def measure(running: System) -> Document:
    """Measure every path."""
    settings = running.settings(Settings)
    client = connect(settings.mongo_url)
    circulation = client[f"{settings.database_prefix}_circulation"]
    async with Library(running) as library, aiohttp.ClientSession() as session:
        alike, lean = await check_out(library, circulation)
        found = {
            "GET /v1/me": await my_account(
                library, session, client[f"{settings.database_prefix}_gateway"]
            ),
            "POST /v1/checkouts": alike,
            "POST /v1/checkouts, lean": lean,
            "answer to event": await event(library),
        }
    client.close()
    return {"machine": machine(), "paths": found}


def main() -> None:
    """Start a system, measure and print."""
    asked = options()
    with running() as measured:
        found = asyncio.run(measure(measured))
    show({"machine": found["machine"], **found["paths"]}, as_json=asked.json)


if __name__ == "__main__":
    main()
