"""Scans at a desk in a busy city: the time from the end of a code to its answer on the screen.

    .venv/bin/python -m benchmarks.scans [--json] [--rate 20] [--scans 40]

A librarian lends in a real browser, 40 items a minute, as a scanner types them. Meanwhile the city
of `benchmarks.city` sends commands at a rate. A scan is answered when the row that has its due date
is painted.
"""

import asyncio
import statistics
import time
from itertools import cycle

import aiohttp
from playwright.async_api import Page

from benchmarks.city import City, at_rate
from benchmarks.show import machine, options, running, show
from ops.infrastructure.processes import System
from services.gateway.web.session import PLACE, SESSION
from shared.mongo import Document
from tests.library import Library
from tests.support import Client
from tests.web.browser import headless_shell, launched

A_MINUTE = 40
OF_PATRON = 5
"""Items that each patron borrows."""
WATCH = """() => {
  window.answered = [];
  new MutationObserver(() => requestAnimationFrame(() => window.answered.push(performance.now())))
    .observe(document.querySelector("#lines tbody"), { childList: true });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter") { window.scanned = performance.now(); }
  }, true);
}"""

ANSWERED = """before => new Promise((done) => {
  const look = () => (window.answered.length > before ? done() : setTimeout(look, 5));
  look();
})"""


async def scan(page: Page, code: str) -> float:
    """Scan an item; return the milliseconds until its row is on the screen."""
    before = await page.evaluate("window.answered.length")
    await page.locator("#barcodes").press_sequentially(code)
    await page.keyboard.press("Enter")
    await page.evaluate(ANSWERED, before)
    taken: float = await page.evaluate("window.answered.at(-1) - window.scanned")
    return taken


async def scans(running: System, library: Library, number: int) -> list[float]:
    """Lend items to patrons, one each 1.5 s; return the milliseconds of each scan."""
    branch = await library.branch()
    cards = cycle([await library.patron(branch) for _ in range(-(-number // OF_PATRON))])
    barcodes = [(await library.copies(branch, 1))[0] for _ in range(number)]
    await library.flow.settle(within=120)
    found: list[float] = []
    async with launched(headless_shell()) as browser:
        context = await browser.new_context(base_url=running.gateway_url, locale="en")
        for name, value in ((SESSION, library.tokens["staff"]), (PLACE, branch)):
            await context.add_cookies([{"name": name, "value": value, "url": running.gateway_url}])
        page = await context.new_page()
        started = time.perf_counter()
        for count, code in enumerate(barcodes):
            if count % OF_PATRON == 0:
                await page.goto("/desk/lend")
                await page.locator("#card_number").press_sequentially(next(cards))
                await page.keyboard.press("Enter")
                await page.locator("#barcodes").wait_for()
                await page.evaluate(WATCH)
            due = started + count * 60 / A_MINUTE
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            found.append(await scan(page, code))
    return found


async def measure(running: System, rate: float, number: int) -> Document:
    """Measure scans while the city is at its rate; return both figures."""
    seconds = number * 60 / A_MINUTE
    async with (
        Library(running) as library,
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session,
    ):
        city = City(library, Client(running.gateway_url, session), int(rate * seconds))
        await city.prepare()
        busy, taken = await asyncio.gather(
            at_rate(running, city, rate, seconds), scans(running, library, number)
        )
    return {
        "scans": len(taken),
        "median_ms": round(statistics.median(taken)),
        "p95_ms": round(statistics.quantiles(taken, n=20, method="inclusive")[-1]),
        "greatest_ms": round(max(taken)),
        "city": busy,
    }


def main() -> None:
    """Start a system, measure and print."""
    asked = options(rate=20.0, scans=40)
    with running() as measured:
        found = asyncio.run(measure(measured, asked.rate, asked.scans))
    show({"machine": machine(), **found}, as_json=asked.json)


if __name__ == "__main__":
    main()
