"""The cost of secured servers for whole commands: check-outs and returns through the gateway.

    .venv/bin/python -m benchmarks.secured_commands [--json] [--rounds 6] [--commands 40]

Two whole systems run: one on plain Apache Kafka and MongoDB, one on secured ones (TLS, client
certificates, a user with rights for each service; tests/secured.py). One librarian lends and takes
back at each in turns. The processor time is that of all processes of a system, with what follows
from a command: its events are published, and consumed by the other services.
"""

import asyncio
import tempfile
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from benchmarks.at_rest import processor_seconds
from benchmarks.desk import Desk, timed
from benchmarks.show import options, show
from ops.infrastructure.processes import System
from shared.mongo import Document
from tests.library import Library
from tests.systems import SECURED, system_in

KINDS = ("check-out", "return")


@dataclass
class Turns:
    """The rounds of a system, whose librarian lends and takes back the same copies each time."""

    running: System
    desk: Desk
    milliseconds: dict[str, list[float]] = field(default_factory=dict)
    """Processor time of a command, by its kind and round."""

    async def play(self) -> None:
        """Lend all copies and take them back; note the processor time of each kind of command."""
        processor = partial(processor_seconds, self.running)
        for kind, call in zip(KINDS, (self.desk.check_out, self.desk.take_back), strict=True):
            found = await timed(processor, call, self.desk.loans, 1)
            self.milliseconds.setdefault(kind, []).append(found["processor_ms"])


async def measure(plain: System, protected: System, rounds: int, commands: int) -> Document:
    """Play the rounds in turns; return the mean processor time of each kind, and the ratios."""
    async with Library(plain) as one, Library(protected) as other:
        both = [
            Turns(running, await Desk.opened(library, commands, commands, 1))
            for running, library in ((plain, one), (protected, other))
        ]
        for turns in both:
            await turns.play()  # the first round warms up
            turns.milliseconds.clear()
        for number in range(rounds):
            for turns in both if number % 2 else both[::-1]:
                await turns.play()
    found: Document = {}
    for kind in KINDS:
        usual, secured = (sum(turns.milliseconds[kind]) / rounds for turns in both)
        found[kind] = {
            "plain_processor_ms": round(usual, 1),
            "secured_processor_ms": round(secured, 1),
            "ratio": round(secured / usual, 2) if usual else None,
        }
    return found


def main() -> None:
    """Start both systems, measure and print."""
    asked = options(rounds=6, commands=40)
    with (
        tempfile.TemporaryDirectory() as folder,
        system_in(Path(folder) / "plain", broker="apache") as plain,
        system_in(Path(folder) / "secured", broker=SECURED) as protected,
    ):
        found = asyncio.run(measure(plain, protected, asked.rounds, asked.commands))
    show(found, as_json=asked.json)


if __name__ == "__main__":
    main()
