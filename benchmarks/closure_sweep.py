"""The time to move the due dates of one closure, and its effect on check-outs meanwhile.

    .venv/bin/python -m benchmarks.closure_sweep [--json] [--loans 10000,30000,100000]

Circulation's API runs in this process and its worker in another, on one embedded database. For
each number of open loans, check-outs are timed at a steady pace, first
without a sweep, then during one, in one run: the ratio is the result. No test asserts it.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.show import machine, options, serving, show
from benchmarks.show import p95 as percentile
from ops.infrastructure.embedded import embedded
from ops.infrastructure.ports import reserve
from services.circulation.app import create_app
from services.circulation.closures.consumers import keep_calendar
from services.circulation.rules.loan import Loan
from services.circulation.rules.policy import Policy
from shared.assertions import make_key
from shared.ids import new_id
from shared.mongo import to_document
from shared.unit_of_work import Origin, Run
from tests.circulation.desk import KEY, Desk, branch, closure, settings_for
from tests.support import served, until

CALLERS = 4
PAUSE = 0.1
"""Seconds between two check-outs of a caller: about 40 a second in all, as in a busy city."""
QUIET = 10.0
"""Seconds of check-outs without a sweep."""
PATIENCE = 3600.0
"""Seconds that a sweep may take."""
DAY = "2021-03-01"
CLOSED = date(2020, 12, 2)


class Lending:
    """Check-outs at the branch whose loans are swept, with the time of each."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._patrons = 0
        self._copies: list[str] = []

    async def prepare(self, count: int) -> None:
        """Add copies for `count` more check-outs, and patrons who may have ten each."""
        while len(self._copies) < count:
            self._copies += await self._desk.copies(40)
        self._patrons += 1
        self._cards = [f"w{self._patrons}-{n}" for n in range(count // 9 + CALLERS)]
        for card in self._cards:
            await self._desk.patron(card)

    async def keep_lending(self, stop: asyncio.Event) -> list[float]:
        """Check out at a steady pace until `stop` or nothing is left; return each one's seconds."""
        took: list[float] = []

        async def caller() -> None:
            while not stop.is_set() and self._copies and self._cards:
                card = self._cards.pop()
                for _ in range(9):
                    if stop.is_set() or not self._copies:
                        return
                    started = time.perf_counter()
                    [result] = await self._desk.lend(self._copies.pop(), to=card, on=DAY)
                    took.append(time.perf_counter() - started)
                    if not result["ok"]:
                        raise RuntimeError(result)
                    await asyncio.sleep(PAUSE)

        await asyncio.gather(*(caller() for _ in range(CALLERS)))
        return took


def p95(took: list[float]) -> float:
    """Return the 95th percentile in milliseconds; 0 for too few values."""
    return round(percentile(took) * 1000, 1) if len(took) > 20 else 0.0


async def lend_before(desk: Desk, count: int) -> None:
    """Insert open loans, due on the days of a closure, made before any announcement."""
    loans = desk.api.app.state.database.loans
    await loans.delete_many({})
    for first in range(0, count, 5000):
        await loans.insert_many(
            [
                to_document(
                    Loan(
                        id=new_id(),
                        patron_id=f"p{number // 10}",
                        patron_category="adult",
                        title_id=f"t{number}",
                        copy_id=f"k{number}",
                        barcode=f"b{number}",
                        copy_category="adult",
                        branch_code="HKCL",
                        branch_kind="central",
                        policy=Policy(id="default"),
                        borrowed_on=CLOSED - timedelta(days=14),
                        due_on=CLOSED + timedelta(days=number % 14),
                        due_set_at_version=1,
                        calendar_version=1,
                    )
                )
                for number in range(first, min(first + 5000, count))
            ]
        )


async def measure(desk: Desk, lending: Lending, size: int, version: int) -> dict[str, Any]:
    """Measure check-outs without and with a sweep over `size` loans."""
    database = desk.api.app.state.database
    await lend_before(desk, size)
    await lending.prepare(400 + size // 40)
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(QUIET, stop.set)
    quiet = await lending.keep_lending(stop)

    stop = asyncio.Event()
    announced = closure(f"c{version}", CLOSED.isoformat(), (version, "2021-02-19"))
    event = branch(version=version, closures=(announced,))
    started = time.perf_counter()
    await keep_calendar(event, Run(desk.api.app.state.unit_of_work, _now(), within=30))
    going_on = asyncio.create_task(lending.keep_lending(stop))

    async def moved_all() -> bool:
        return not await database.sweeps.find_one({"_id": "HKCL", "state": "moving"})

    await until(moved_all, within=PATIENCE, every=0.1)
    took = time.perf_counter() - started
    stop.set()
    swept = await going_on
    moved = await database.loans.count_documents({"due_on": "2021-02-19"})
    if moved != size:
        raise RuntimeError(f"{moved} of {size} loans moved")
    return {
        "loans": size,
        "seconds": round(took, 1),
        "loans_per_second": round(size / took),
        "checkouts_quiet": len(quiet),
        "checkouts_meanwhile": len(swept),
        "p95_quiet_ms": p95(quiet),
        "p95_meanwhile_ms": p95(swept),
        "p95_ratio": round(p95(swept) / p95(quiet), 2) if p95(quiet) and p95(swept) else None,
    }


def _now() -> Origin:
    return Origin(now=datetime(2020, 12, 1, tzinfo=UTC))


def worker(mongo_url: str, prefix: str, log: Path) -> AbstractContextManager[int]:
    """Run circulation with only the role jobs, as a process."""
    environment = {
        "CARREL_MONGO_URL": mongo_url,
        "CARREL_DATABASE_PREFIX": prefix,
        "CARREL_PORT": str(reserve()),
        "CARREL_OPERATIONS_PORT": str(reserve()),
        "CARREL_SIMULATION": "1",
        "CARREL_SERVICE_SECRET": "a secret of this benchmark",
        "CARREL_CARD_KEY": KEY,
        "CARREL_AUDIT_KEYS": "a key of this benchmark",
        "CARREL_SERVICE_KEY": make_key(),
    }
    return serving(["ops", "serve", "circulation", "--role", "jobs"], environment, log)


@asynccontextmanager
async def open_desk(mongo_url: str, prefix: str) -> AsyncIterator[Desk]:
    """Yield the desk of an open central library without any announcement."""
    async with served(create_app, settings_for(mongo_url, prefix)) as api:
        desk = Desk(api)
        await desk.hear(branch())
        yield desk


async def run(sizes: tuple[int, ...], mongo_url: str, folder: Path) -> list[dict[str, Any]]:
    """Measure each size on its own database."""
    found = []
    for at, size in enumerate(sizes):
        prefix = f"sweep{at}"
        async with open_desk(mongo_url, prefix) as desk:
            with worker(mongo_url, prefix, folder / f"worker-{at}.log"):
                found.append(await measure(desk, Lending(desk), size, 2))
    return found


def main() -> None:
    """Measure and print."""
    asked = options(loans="10000,30000,100000")
    sizes = tuple(map(int, asked.loans.split(",")))
    with (
        tempfile.TemporaryDirectory() as folder,
        embedded(Path(folder), kafka=False, mongo_port=None) as infrastructure,
    ):
        found = asyncio.run(run(sizes, infrastructure.mongo_url, Path(folder)))
    by_size = {f"{row['loans']} loans": row for row in found}
    show({"machine": machine(), **by_size}, as_json=asked.json)


if __name__ == "__main__":
    main()
