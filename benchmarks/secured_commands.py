"""The cost of secured servers for whole commands: check-outs and returns through the gateway.

    .venv/bin/python -m benchmarks.secured_commands [--json] [--rounds 6] [--commands 40]

Two whole systems run: one on plain Apache Kafka and MongoDB, one on secured ones (TLS, client
certificates, a user with rights for each service; tests/secured.py). One librarian lends and takes
back at each in turns. The processor time is that of all processes of a system, with what follows
from a command: its events are published, and consumed by the other services.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.desk import Loan, timed
from ops.infrastructure.processes import System
from shared.mongo import Document
from tests.library import Library
from tests.systems import SECURED, system_in

KINDS = ("check-out", "return")


@dataclass
class Desk:
    """A librarian of a system, who lends and takes back the same copies again and again."""

    running: System
    library: Library
    branch: str
    loans: list[Loan]
    milliseconds: dict[str, list[float]] = field(default_factory=dict)
    """Processor time of a command, by its kind and round."""

    @classmethod
    async def opened(cls, running: System, library: Library, commands: int) -> "Desk":
        """Prepare a desk: each of these copies is lent to a patron of its own."""
        branch = await library.branch()
        barcodes = [code for _ in range(commands) for code in await library.copies(branch, 1)]
        cards = [await library.patron(branch) for _ in barcodes]
        await library.flow.settle(within=120)
        return cls(running, library, branch, list(zip(cards, barcodes, strict=True)))

    async def play(self) -> None:
        """Lend all copies and take them back; note the processor time of each kind of command."""
        for kind, call in zip(KINDS, (self._check_out, self._take_back), strict=True):
            found = await timed(self.running, call, self.loans, 1)
            self.milliseconds.setdefault(kind, []).append(found["processor_ms"])

    async def _check_out(self, loan: Loan) -> None:
        await self.library.lend(loan[0], [loan[1]], self.branch)

    async def _take_back(self, loan: Loan) -> None:
        await self.library.take_back([loan[1]], self.branch)


async def measure(plain: System, protected: System, rounds: int, commands: int) -> Document:
    """Play the rounds in turns; return the mean processor time of each kind, and the ratios."""
    async with Library(plain) as one, Library(protected) as other:
        desks = [
            await Desk.opened(plain, one, commands),
            await Desk.opened(protected, other, commands),
        ]
        for desk in desks:
            await desk.play()  # the first round warms up
            desk.milliseconds.clear()
        for number in range(rounds):
            for desk in desks if number % 2 else desks[::-1]:
                await desk.play()
    found: Document = {}
    for kind in KINDS:
        usual, secured = (sum(desk.milliseconds[kind]) / rounds for desk in desks)
        found[kind] = {
            "plain_processor_ms": round(usual, 1),
            "secured_processor_ms": round(secured, 1),
            "ratio": round(secured / usual, 2) if usual else None,
        }
    return found


def main() -> None:
    """Start both systems, measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--commands", type=int, default=40)
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        system_in(Path(folder) / "plain", broker="apache") as plain,
        system_in(Path(folder) / "secured", broker=SECURED) as protected,
    ):
        found = asyncio.run(measure(plain, protected, arguments.rounds, arguments.commands))
    if arguments.json:
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
        return
    for kind, figures in found.items():
        texts = [f"{name.replace('_', ' ')} {value}" for name, value in figures.items()]
        sys.stdout.write(f"{kind:<10} {', '.join(texts)}\n")


if __name__ == "__main__":
    main()
