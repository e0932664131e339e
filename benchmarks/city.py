"""The peak of a city: commands at a given rate, whether the system keeps up or not (an open loop).

    .venv/bin/python -m benchmarks.city [--json] [--kafka apache] [--rates 10,20,40] [--seconds 60]

Of the commands 45 % are check-outs, 45 % returns, 5 % renewals and 5 % holds; each comes with three
patrons who look at their accounts. Each starts when its time has come, and its latency counts from
then, so that a system that falls behind can't slow the measurement down. The processor time of the
callers, which are in this process, is reported apart.
"""

import argparse
import asyncio
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.at_rest import processor_seconds
from ops.infrastructure.processes import System, system
from shared.mongo import Document
from tests.library import Library

PATRONS = 200
TITLES = 200
COPIES_OF_TITLE = 4
RENEWED = 100
"""Loans that are only renewed, each a few times."""
RENEWALS = 5
WANTED = 20
"""Titles on which holds are placed."""
LOOKS = 3
"""Reads of accounts that come with each command."""
SHARES = {"check-out": 45, "return": 45, "renewal": 5, "hold": 5}


class City:
    """The people and the copies of a city, and the calls that they make."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._free: deque[str] = deque()
        self._lent: deque[str] = deque()

    async def prepare(self) -> None:
        """Register patrons, catalogue titles, and lend the copies that are to be renewed."""
        library = self._library
        self._branch = await library.branch()
        self._cards = [await library.patron(self._branch) for _ in range(PATRONS)]
        for _ in range(TITLES):
            self._free += await library.copies(self._branch, COPIES_OF_TITLE)
        random.shuffle(self._free)  # people do not come one title after the other
        await library.flow.settle()  # circulation has to know the branch before it lends there
        loans = []
        for number in range(RENEWED):
            card = self._cards[number % PATRONS]
            loans += await library.lend(card, [self._free.popleft()], self._branch)
        now = datetime.fromisoformat(library.now)
        self._renewals = iter(
            [
                (f"/v1/loans/{loan['id']}/renewals", (now + timedelta(days=day)).isoformat())
                for day in range(1, RENEWALS + 1)
                for loan in loans
            ]
        )
        wanted = [await self._title() for _ in range(WANTED)]
        self._holds = iter([(card, title) for title in wanted for card in self._cards])
        self._borrowers = _repeated(self._cards)
        for _ in range(len(self._free) // 2):
            await self._check_out()
        await library.flow.settle()

    async def _title(self) -> str:
        [barcode] = await self._library.copies(self._branch, 1)
        copy = await self._library.get(f"/v1/copies/{barcode}", by="staff")
        return str(copy["title_id"])

    async def command(self, kind: str) -> int:
        """Make a command; return the status of the answer."""
        match kind:
            case "check-out":
                return await self._check_out()
            case "return":
                return await self._take_back()
            case "renewal":
                path, at = next(self._renewals)
                return await self._post(path, None, "staff", at)
            case _:
                card, title = next(self._holds)
                body = {"title_id": title, "pickup_branch": self._branch}
                return await self._post("/v1/holds", body, card)

    async def look(self) -> int:
        """Read an account; return the status of the answer."""
        card = random.choice(self._cards)  # noqa: S311
        status, _ = await self._library.try_("GET", "/v1/me", by=card)
        return status

    async def _check_out(self) -> int:
        barcode = self._free.popleft()
        body = {"card_number": next(self._borrowers), "barcodes": [barcode]}
        status = await self._post("/v1/checkouts", {**body, "branch": self._branch}, "staff")
        (self._lent if status == 200 else self._free).append(barcode)
        return status

    async def _take_back(self) -> int:
        barcode = self._lent.popleft()
        body = {"barcodes": [barcode], "branch": self._branch, "channel": "desk"}
        status = await self._post("/v1/returns", body, "staff")
        (self._free if status == 200 else self._lent).append(barcode)
        return status

    async def _post(self, path: str, body: Any, by: str, at: str = "") -> int:
        status, answer = await self._library.try_("POST", path, body, by=by, at=at)
        if status == 200 and "results" in answer and not answer["results"][0]["ok"]:
            raise RuntimeError(f"a command was refused: {answer}")
        return status


def _repeated(cards: list[str]) -> Iterator[str]:
    while True:
        yield from cards


async def at_rate(running: System, city: City, rate: float, seconds: float) -> Document:
    """Send commands at a rate for a time; return latencies, statuses and processor time."""
    kinds = random.choices(list(SHARES), list(SHARES.values()), k=int(rate * seconds))  # noqa: S311
    latencies: dict[str, list[float]] = {"commands": [], "reads": []}
    statuses: Counter[str] = Counter()

    async def call(group: str, due: float, made: Callable[[], Awaitable[int]]) -> None:
        try:
            statuses[str(await made())] += 1
        except Exception as error:  # noqa: BLE001 - counted, whatever it is
            statuses[type(error).__name__] += 1
        latencies[group].append((time.perf_counter() - due) * 1000)

    before, own, started = processor_seconds(running), time.process_time(), time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number, kind in enumerate(kinds):
            due = started + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            group.create_task(call("commands", due, lambda kind=kind: city.command(kind)))  # type: ignore[misc]
            for _ in range(LOOKS):
                group.create_task(call("reads", due, city.look))
    elapsed, after = time.perf_counter() - started, processor_seconds(running)
    used = {name: (after[name] - before[name]) / elapsed for name in after}
    return {
        "rate": rate,
        "answered_per_second": round(len(kinds) / elapsed, 1),
        **{f"{name}_ms": _summary(values) for name, values in latencies.items()},
        "statuses": dict(statuses),
        "cores": {name: round(value, 2) for name, value in used.items()},
        "cores_of_callers": round((time.process_time() - own) / elapsed, 2),
    }


def _summary(values: list[float]) -> Document:
    hundredths = statistics.quantiles(values, n=100)
    return {
        name: round(hundredths[part - 1]) for name, part in (("p50", 50), ("p95", 95), ("p99", 99))
    }


async def measure(running: System, rates: list[float], seconds: float) -> list[Document]:
    """Measure each rate in turn."""
    async with Library(running) as library:
        city = City(library)
        await city.prepare()
        return [await at_rate(running, city, rate, seconds) for rate in rates]


def main() -> None:
    """Start a system, measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--kafka", default="embedded")
    parser.add_argument("--rates", default="10,20,40")
    parser.add_argument("--seconds", type=float, default=60)
    arguments = parser.parse_args()
    rates = [float(rate) for rate in arguments.rates.split(",")]
    with (
        tempfile.TemporaryDirectory() as folder,
        system(Path(folder), simulation=True, usual_ports=False, broker=arguments.kafka) as running,
    ):
        found = asyncio.run(measure(running, rates, arguments.seconds))
    if arguments.json:
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
        return
    sys.stdout.write(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.0f}\n")
    for figures in found:
        sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
