"""Check-outs and returns by librarians: time for each, and processor time of each process.

    .venv/bin/python -m benchmarks.desk [--json] [--kafka apache]

One librarian alone, then sixteen at once, through the gateway. Each patron and copy is used by one
librarian at a time; a title may be returned by two. Processor time hardly depends on other work on
the machine; it includes what processes do at rest meanwhile.
"""

import asyncio
import random
import statistics
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from typing import Self

from benchmarks.at_rest import processor_seconds
from benchmarks.show import calls, options, running, show
from ops.infrastructure.processes import System
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


Processor = Callable[[], Mapping[str, float]]
"""Returns the processor time that each process has taken so far, by name, in seconds."""


async def timed(
    processor: Processor,
    call: Callable[[Loan], Awaitable[None]],
    loans: Sequence[Loan],
    librarians: int,
) -> Document:
    """Make the calls; return how many were made in a second, the median and the processor time."""
    before = processor()
    elapsed, milliseconds = await calls(call, loans, librarians)
    after = processor()
    each = {name: (after[name] - before[name]) * 1000 / len(loans) for name in after}
    return {
        "per_second": round(len(loans) / elapsed, 1),
        "median_ms": round(statistics.median(milliseconds), 1),
        "processor_ms": round(sum(each.values()), 1),
        "processor_ms_by_process": {name: round(value, 1) for name, value in each.items()},
    }


@dataclass(frozen=True)
class Desk:
    """A branch's desk, with what is lent and taken back there."""

    library: Library
    branch: str
    loans: list[Loan]
    in_rows: list[Loan]
    """The same with the copies of each title one after the other, as a book drop may send them."""

    @classmethod
    async def opened(cls, library: Library, patrons: int, titles: int, copies: int) -> Self:
        """Register patrons and catalogue titles with so many copies each."""
        branch = await library.branch()
        cards = [await library.patron(branch) for _ in range(patrons)]
        barcodes = [code for _ in range(titles) for code in await library.copies(branch, copies)]
        await library.flow.settle(within=120)
        in_rows = list(zip(cycle(cards), barcodes, strict=False))
        loans = random.sample(in_rows, len(in_rows))  # people do not come one title after the other
        return cls(library, branch, loans, in_rows)

    async def check_out(self, loan: Loan) -> None:
        """Lend a copy to a patron."""
        await self.library.lend(loan[0], [loan[1]], self.branch)

    async def take_back(self, loan: Loan) -> None:
        """Return a copy."""
        await self.library.take_back([loan[1]], self.branch)


async def measure(running: System) -> Document:
    """Measure check-outs and returns of one librarian and of sixteen."""
    found: Document = {}
    processor = partial(processor_seconds, running)
    async with Library(running) as library:
        desk = await Desk.opened(library, PATRONS, TITLES, COPIES_OF_TITLE)
        await timed(processor, desk.check_out, desk.loans[:WARM_UP], 1)
        await timed(processor, desk.take_back, desk.loans[:WARM_UP], 1)
        for librarians, count in COMMANDS.items():
            some = desk.loans[:count]
            found[f"check-out, {librarians}"] = await timed(
                processor, desk.check_out, some, librarians
            )
            found[f"return, {librarians}"] = await timed(
                processor, desk.take_back, some, librarians
            )
        librarians, count = max(COMMANDS.items())
        some = desk.in_rows[:count]
        await timed(processor, desk.check_out, some, librarians)
        found[f"return by titles, {librarians}"] = await timed(
            processor, desk.take_back, some, librarians
        )
    return found


def main() -> None:
    """Start a system, measure and print."""
    asked = options(kafka="embedded")
    with running(asked.kafka) as measured:
        show(asyncio.run(measure(measured)), as_json=asked.json)


if __name__ == "__main__":
    main()
