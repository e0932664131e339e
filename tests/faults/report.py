"""The fault matrix: a row for each tried fault, with its outcome.

A fault test calls `record` after its audit. When the run ends, its rows are kept in
`.data/faults.json` with those of other runs, and all are shown;
`python -m tests.faults.report` writes them into docs/reliability.md.
"""

import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from operator import add
from pathlib import Path

from ops.audit.findings import Audit
from ops.infrastructure.embedded import find_mongod
from ops.infrastructure.processes import System

ROOT = Path(__file__).parents[2]
KEPT = ROOT / ".data" / "faults.json"
PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- the fault matrix begins -->", "<!-- the fault matrix ends -->"
HEADS = ("fault", "on", "what holds", "tried", "lost", "doubled", "recovery")


@dataclass(frozen=True)
class Row:
    """The result of one fault on one broker, over all tests that tried it."""

    fault: str
    broker: str
    """E (embedded), K (Apache Kafka) or S (secured Apache Kafka and MongoDB)."""
    invariant: str
    """The invariant that was checked, as a statement."""
    counts: dict[str, int] = field(default_factory=dict)
    """Number of commands, kills and so on, added up; of `events`, the highest of any audit."""
    lost: int = 0
    doubled: int = 0
    other: int = 0
    """Number of other findings: data that differs between two places."""
    recovery: float | None = None
    """Longest time in seconds until all was well again; None if not measured."""
    on: str = ""
    """Day on which it was tried."""

    def with_(self, other: "Row") -> "Row":
        """Return both rows as one: another case of the same fault."""
        names = self.counts | other.counts
        times = [time for time in (self.recovery, other.recovery) if time is not None]
        return Row(
            self.fault,
            self.broker,
            self.invariant,
            {
                # An audit compares all events since the start, including those of earlier cases.
                name: (max if name == "events" else add)(
                    self.counts.get(name, 0), other.counts.get(name, 0)
                )
                for name in names
            },
            self.lost + other.lost,
            self.doubled + other.doubled,
            self.other + other.other,
            max(times, default=None),
            other.on,
        )


_rows: dict[tuple[str, str], Row] = {}


def record(
    fault: str,
    on: System | str,
    *,
    invariant: str,
    found: Audit | None = None,
    counts: Mapping[str, int] | None = None,
    recovery: float | None = None,
) -> None:
    """Record the outcome of a fault; called before any assertion, so that failures are listed.

    `on` is the running system, or the letter of its broker if there is none. `found` gives the
    lost and doubled results, and how many commands (if there was a Load) and events there were;
    `counts` adds to these. A second record of the same fault is another case of it: counts add up.
    """
    broker = on if isinstance(on, str) else _broker_of(on)
    seen = found or Audit()
    audited = {
        "commands": seen.counts["commands"],
        "events": seen.counts["events recorded"],
        "answers later than 2 s": seen.counts["late answers"],
    }
    row = Row(
        fault,
        broker,
        invariant,
        {"cases": 1, **{name: n for name, n in audited.items() if n}, **(counts or {})},
        seen.lost,
        seen.doubled,
        len(seen.findings) if not (seen.lost or seen.doubled) else 0,
        None if recovery is None else round(recovery, 1),
        datetime.now(UTC).date().isoformat(),
    )
    known = _rows.get((fault, broker))
    _rows[fault, broker] = known.with_(row) if known else row


def _broker_of(system: System) -> str:
    broker = system.infrastructure.broker
    if system.environment.get("CARREL_KAFKA_SECURITY", "none") != "none":
        return "S"
    return "K" if broker and any("kafka.Kafka" in part for part in broker.command) else "E"


def finish(write: Callable[[str], object]) -> None:
    """Merge the rows of a run that tried faults with those of other runs, and show all."""
    if not _rows:
        return
    kept = {(row.fault, row.broker): row for row in load()}
    rows = sorted((kept | _rows).values(), key=lambda row: (row.fault, row.broker))
    KEPT.parent.mkdir(exist_ok=True)
    KEPT.write_text(json.dumps([asdict(row) for row in rows], indent=1, ensure_ascii=False) + "\n")
    write("fault matrix")
    for line in as_text(rows):
        write(line)


def load() -> list[Row]:
    """Return the rows that are kept."""
    return [Row(**row) for row in json.loads(KEPT.read_text())] if KEPT.exists() else []


def _cells(row: Row) -> tuple[str, ...]:
    tried = ", ".join(
        f"{count:,} {name if count > 1 else name.removesuffix('s')}"
        for name, count in row.counts.items()
        if (name, count) != ("cases", 1) or len(row.counts) == 1
    )
    doubled = f"{row.doubled}" + (f" (and {row.other} published differently)" if row.other else "")
    recovery = "" if row.recovery is None else f"{row.recovery:.1f} s"
    return (row.fault, row.broker, row.invariant, tried, str(row.lost), doubled, recovery)


def as_text(rows: Iterable[Row]) -> list[str]:
    """Return the rows for a terminal, two lines each."""
    return [
        line
        for fault, broker, invariant, tried, lost, doubled, recovery in map(_cells, rows)
        for line in (
            f"{broker}  {fault}: {invariant}",
            f"   {tried}; lost {lost}, doubled {doubled}"
            + (f"; recovery {recovery}" if recovery else ""),
        )
    ]


def as_markdown(rows: Iterable[Row]) -> str:
    """Return the table for docs/reliability.md, after a line with dates and environment."""
    rows = list(rows)
    days = sorted({row.on for row in rows})
    day = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    cores = "two shared cores" if os.cpu_count() == 2 else f"{os.cpu_count()} cores"
    secured = ", S: this and MongoDB, secured" if any(row.broker == "S" for row in rows) else ""
    where = f"{cores}, {platform.system()} on {platform.machine()}; MongoDB {_mongod_version()}"
    lines = [
        f"{day}; {where}; E: embedded broker, K: Apache Kafka {_kafka_version()}{secured}.",
        "",
        "| " + " | ".join(HEADS) + " |",
        "|" + "---|" * len(HEADS),
        *("| " + " | ".join(_cells(row)) + " |" for row in rows),
    ]
    return "\n".join(lines)


def write_page() -> None:
    """Write the table between its marks in docs/reliability.md."""
    before, begin, rest = PAGE.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        sys.exit(f"{PAGE.name} has no place for the table: {BEGIN} … {END}")
    PAGE.write_text(f"{before}{BEGIN}\n{as_markdown(load())}\n{END}{after}")


def _mongod_version() -> str:
    said = subprocess.run(
        [find_mongod(), "--version"], capture_output=True, text=True, check=True
    ).stdout
    found = re.search(r"db version v([\d.]+)", said)
    return found[1] if found else "of unknown version"


def _kafka_version() -> str:
    found = re.search(
        r"kafka_2\.13</artifactId>\s*<version>([^<]+)",
        (ROOT / "ops/infrastructure/apache.pom.xml").read_text(),
    )
    return found[1] if found else "of unknown version"


if __name__ == "__main__":
    if not KEPT.exists():
        sys.exit(f"There is no {KEPT.relative_to(ROOT)}: run make test-faults first.")
    write_page()
