"""Pages of the desk and of a patron: the time of each alone, and while the city sends commands.

    .venv/bin/python -m benchmarks.pages [--json] [--rate 20] [--times 15]

The time is that from the request to the last byte, without a browser. The library of the
desk has loans, overdue items, holds and charges, and so has the patron; the slowest page is first.
"""

import asyncio
import statistics
import time
from dataclasses import dataclass
from http import HTTPStatus

import aiohttp

from benchmarks.city import City, at_rate
from benchmarks.show import machine, options, p95, running, show
from ops.infrastructure.processes import System
from services.gateway.web.session import PLACE, SESSION
from services.gateway.web.today.table import LISTS
from shared.mongo import Document
from tests.library import Library
from tests.support import Client

PAGES = (
    *("/desk", "/desk/lend", "/desk/returns", "/desk/patrons", "/desk/titles", "/desk/till"),
    *("/desk/enquiries", "/desk/closures", "/desk/suspensions", "/desk/policies", "/desk/calendar"),
    *("/desk/visitors", "/desk/study-rooms", "/desk/study-sessions", "/desk/activities/new"),
    *("/desk/notices", "/desk/deliveries", "/desk/wordings", "/desk/offline", "/desk/family"),
    *(f"/desk/lists/{name}" for name in LISTS),
)
PATRON_PAGES = (
    *("/", "/card", "/inbox", "/info", "/lists", "/payments", "/history", "/setting", "/family"),
    *("/enquiries", "/catalogue", "/catalogue?q=the", "/libraries", "/activities", "/notices"),
)
OVERDUE, NOW = "2021-02-01T10:00:00+08:00", "2021-02-26T10:00:00+08:00"
LOANS, SECONDS = 60, 60
"""Loans of the library, and the time for which the city sends commands."""


@dataclass(frozen=True)
class Reader:
    """Somebody who asks for pages, with the cookies of their browser."""

    cookies: dict[str, str]
    paths: tuple[str, ...]


async def prepared(library: Library) -> dict[str, Reader]:
    """Open a library with loans that are overdue; return a librarian and a patron of it."""
    branch = await library.branch()
    cards = [await library.patron(branch) for _ in range(LOANS // 6)]
    barcodes = [(await library.copies(branch, 1))[0] for _ in range(LOANS)]
    await library.flow.settle(within=120)
    library.now = OVERDUE
    for number, card in enumerate(cards):
        await library.lend(card, barcodes[number * 6 : number * 6 + 6], branch)
    library.now = NOW
    await library.take_back(barcodes[:1], branch)
    account = await library.get("/v1/me", by=cards[0])
    loan = account["loans"][0]
    copy = await library.get(f"/v1/copies/{barcodes[0]}", by="staff")
    more = (
        f"/desk/accounts/{account['patron']['id']}",
        f"/desk/loans/{loan['id']}",
        f"/desk/copies/{barcodes[0]}",
        f"/desk/titles/{copy['title_id']}",
    )
    own = (f"/loans/{loan['id']}", f"/catalogue/{copy['title_id']}", f"/libraries/{branch}")
    return {
        "desk": Reader({SESSION: library.tokens["staff"], PLACE: branch}, (*PAGES, *more)),
        "patron": Reader({SESSION: library.tokens[cards[0]]}, (*PATRON_PAGES, *own)),
    }


async def timed(running: System, now: str, reader: Reader, times: int) -> Document:
    """Ask for each page in turns; return their milliseconds, of the slowest page first."""
    found: dict[str, list[float]] = {}
    headers = {"Carrel-Time": now, "Sec-Fetch-Site": "same-origin", "Accept": "text/html"}
    async with aiohttp.ClientSession(
        running.gateway_url, headers=headers, cookies=reader.cookies
    ) as browser:
        for _ in range(times):
            for path in reader.paths:
                started = time.perf_counter()
                async with browser.get(path, allow_redirects=False) as answer:
                    await answer.read()
                    if answer.status != HTTPStatus.OK:
                        raise RuntimeError(f"{path}: {answer.status}")
                found.setdefault(path, []).append((time.perf_counter() - started) * 1000)
    slowest = sorted(found.items(), key=lambda one: -statistics.median(one[1]))
    each = {path: [round(statistics.median(taken)), round(max(taken))] for path, taken in slowest}
    together = [one for taken in found.values() for one in taken]
    return {
        "p50 of all": round(statistics.median(together)),
        "p95 of all": round(p95(together)),
        "each: p50, greatest": each,
    }


async def measure(running: System, rate: float, times: int) -> Document:
    """Measure the pages alone, and beside the city at its rate."""
    async with (
        Library(running) as library,
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session,
    ):
        readers = await prepared(library)
        found: Document = {}
        for name, reader in readers.items():
            await timed(running, library.now, reader, 1)
            found[f"{name}, alone (ms)"] = await timed(running, library.now, reader, times)
        for name, reader in readers.items():
            city = City(library, Client(running.gateway_url, session), int(rate * SECONDS))
            await city.prepare()
            busy = asyncio.create_task(at_rate(running, city, rate, SECONDS))
            found[f"{name}, beside the city (ms)"] = await timed(
                running, library.now, reader, times
            )
            await busy
    return found


def main() -> None:
    """Start a system, measure and print."""
    asked = options(rate=20.0, times=15)
    with running() as measured:
        found = asyncio.run(measure(measured, asked.rate, asked.times))
    show({"machine": machine(), **found}, as_json=asked.json)


if __name__ == "__main__":
    main()
