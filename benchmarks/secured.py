"""The cost of secured servers: the same work on plain and on secured ones, in turns.

    .venv/bin/python -m benchmarks.secured [--json] [--rounds 6] [--loans 20]

Two systems run at once, each with Apache Kafka and MongoDB of its own: one plain, one with TLS,
client certificates, users and rights (tests/secured.py). A round lends copies one by one, shows the
account after each, takes them back, and waits until all events are processed. The processor time is
that of all processes of the system.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.at_rest import processor_seconds
from ops.infrastructure.processes import System, system
from tests.library import Library
from tests.secured import secured_system


@dataclass
class Side:
    """One of the two systems, and the times of its rounds."""

    library: Library
    branch: str = ""
    card: str = ""
    seconds: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)

    async def prepare(self) -> None:
        """Register a patron."""
        self.branch = await self.library.branch()
        await self.library.flow.settle(within=300)
        self.card = await self.library.patron(self.branch)

    async def play(self, loans: int) -> None:
        """Play one round and note its times."""
        copies = await self.library.copies(self.branch, loans)
        await self.library.flow.settle(within=300)
        used, started = sum(processor_seconds(self.library.system).values()), time.monotonic()
        for copy in copies:
            await self.library.lend(self.card, [copy], self.branch)
            await self.library.get("/v1/me", by=self.card)
            await self.library.take_back([copy], self.branch)
        self.seconds.append(time.monotonic() - started)
        await self.library.flow.settle(within=300)
        self.processor.append(sum(processor_seconds(self.library.system).values()) - used)


async def measure(plain: System, protected: System, rounds: int, loans: int) -> dict[str, float]:
    """Play the rounds in turns; return the medians of each side, and their ratios."""
    async with Library(plain) as one, Library(protected) as other:
        sides = [Side(one), Side(other)]
        for side in sides:
            await side.prepare()
            await side.play(loans)  # the first round warms up
            side.seconds.clear()
            side.processor.clear()
        for number in range(rounds):
            for side in sides if number % 2 else reversed(sides):
                await side.play(loans)
    before, after = sides
    found = {
        "plain_ms": 1000 * statistics.median(before.seconds) / loans,
        "secured_ms": 1000 * statistics.median(after.seconds) / loans,
        "plain_processor_ms": 1000 * statistics.median(before.processor) / loans,
        "secured_processor_ms": 1000 * statistics.median(after.processor) / loans,
    }
    found["ratio"] = found["secured_ms"] / found["plain_ms"]
    found["processor_ratio"] = found["secured_processor_ms"] / found["plain_processor_ms"]
    return {name: round(value, 2) for name, value in found.items()}


def main() -> None:
    """Start both systems, measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--loans", type=int, default=20)
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as one,
        tempfile.TemporaryDirectory() as other,
        system(Path(one), simulation=True, usual_ports=False, broker="apache") as plain,
        secured_system(Path(other), simulation=True, usual_ports=False) as protected,
    ):
        found = asyncio.run(measure(plain, protected, arguments.rounds, arguments.loans))
    if arguments.json:
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
        return
    for name, value in found.items():
        sys.stdout.write(f"{name:<22} {value}\n")


if __name__ == "__main__":
    main()
