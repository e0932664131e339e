"""Check-outs and returns by librarians: time for each, and processor time of each process.

    .venv/bin/python -m benchmarks.desk [--json] [--kafka apache]

One librarian alone, then sixteen at once, through the gateway. Each patron and copy is used by one
librarian at a time; a title may be returned by two. Processor time hardly depends on other work on
the machine; it includes what processes do at rest meanwhile.
"""

import argparse
import asyncio
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from itertools import cycle
from pathlib import Path

from benchmarks.at_rest import processor_seconds
from ops.infrastructure.processes import System, system
from shared.mongo import Document
from tests.library import Library

PATRONS = 24
TITLES = 60
COPIES_OF_TITLE = 4
WARM_UP = 48
COMMANDS = {1: 60, 16: 200}
"""Number of commands of each kind, by the number of librarians."""

Loan = tuple[str, str]
"""A card and a barcode."""


async def timed(
    running: System, call: Callable[[Loan], Awaitable[None]], loans: Sequence[Loan], librarians: int
) -> Document:
    """Make the calls; return how many were made in a second, the median and the processor time."""
    waiting = iter(loans)
    milliseconds: list[float] = []

    async def work() -> None:
        for loan in waiting:
            began = time.perf_counter()
            await call(loan)
            milliseconds.append((time.perf_counter() - began) * 1000)

    before, started = processor_seconds(running), time.perf_counter()
    await asyncio.gather(*(work() for _ in range(librarians)))
    elapsed, after = time.perf_counter() - started, processor_seconds(running)
    each = {name: (after[name] - before[name]) * 1000 / len(loans) for name in after}
    return {
        "per_second": round(len(loans) / elapsed, 1),
        "median_ms": round(statistics.median(milliseconds), 1),
        "processor_ms": round(sum(each.values()), 1),
        "processor_ms_by_process": {name: round(value, 1) for name, value in each.items()},
    }


async def measure(running: System) -> Document:
    """Measure check-outs and returns of one librarian and of sixteen."""
    found: Document = {}
    async with Library(running) as library:
        branch = await library.branch()
        cards = [await library.patron(branch) for _ in range(PATRONS)]
        barcodes = [
            barcode
            for _ in range(TITLES)
            for barcode in await library.copies(branch, COPIES_OF_TITLE)
        ]
        random.shuffle(barcodes)  # people do not come one title after the other
        loans = list(zip(cycle(cards), barcodes, strict=False))
        await library.flow.settle()

        async def check_out(loan: Loan) -> None:
            await library.lend(loan[0], [loan[1]], branch)

        async def take_back(loan: Loan) -> None:
            body = {"barcodes": [loan[1]], "branch": branch, "channel": "desk"}
            answer = await library.post("/v1/returns", body, by="staff")
            if not answer["results"][0]["ok"]:
                raise RuntimeError(f"a copy was not taken back: {answer}")

        await timed(running, check_out, loans[:WARM_UP], 1)
        await timed(running, take_back, loans[:WARM_UP], 1)
        for librarians, count in COMMANDS.items():
            some = loans[:count]
            found[f"check-out, {librarians}"] = await timed(running, check_out, some, librarians)
            found[f"return, {librarians}"] = await timed(running, take_back, some, librarians)
    return found


def main() -> None:
    """Start a system, measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--kafka", default="embedded")
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        system(Path(folder), simulation=True, usual_ports=False, broker=arguments.kafka) as running,
    ):
        found = asyncio.run(measure(running))
    if arguments.json:
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
        return
    for name, figures in found.items():
        by_process = figures.pop("processor_ms_by_process")
        texts = [f"{key.replace('_', ' ')} {value}" for key, value in figures.items()]
        sys.stdout.write(f"{name:<14} {', '.join(texts)}: {by_process}\n")


if __name__ == "__main__":
    main()
