"""Durations of the test suites: recorded for each suite, printed as a table.

`make test` and its like name the suite in SUITE; its last runs are kept in
`.data/timings/`. `python -m tests.timings` prints the table of the newest run of each.
"""

import json
import os
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

KEPT = 30
"""Runs kept for each suite."""
SLOWEST = 10


@dataclass(frozen=True)
class SuiteRun:
    """One run of a suite."""

    suite: str
    at: str
    """Time (UTC) at which it ended."""
    tests: int
    failed: int
    seconds: float
    """Wall-clock seconds from the start of the first process to the end."""
    fixtures: float
    """Share (0 to 1) of the tests' total time that fixtures took to set up and tear down."""
    slowest: Sequence[tuple[str, float]]
    """The slowest tests, fixtures included: id and seconds."""


class Timings:
    """A pytest plugin of the reporting process that times tests."""

    def __init__(self, project: Path) -> None:
        self._folder = project / ".data" / "timings"
        self._started = time.monotonic()
        self._calls: dict[str, float] = defaultdict(float)
        self._fixtures: dict[str, float] = defaultdict(float)
        self._failed: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add the duration of one phase of one test."""
        phases = self._calls if report.when == "call" else self._fixtures
        phases[report.nodeid] += report.duration
        if report.failed:
            self._failed.add(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        """Append the run to its suite's file, if SUITE names one."""
        suite = os.environ.get("SUITE")
        if not suite or not self._fixtures:
            return
        totals = {
            test: self._calls.get(test, 0.0) + fixtures for test, fixtures in self._fixtures.items()
        }
        run = SuiteRun(
            suite=suite,
            at=datetime.now(UTC).isoformat(timespec="seconds"),
            tests=len(totals),
            failed=len(self._failed),
            seconds=round(time.monotonic() - self._started, 1),
            fixtures=round(sum(self._fixtures.values()) / (sum(totals.values()) or 1), 2),
            slowest=sorted(
                ((test, round(seconds, 1)) for test, seconds in totals.items()),
                key=lambda one: -one[1],
            )[:SLOWEST],
        )
        self._folder.mkdir(parents=True, exist_ok=True)
        file = self._folder / f"{suite}.jsonl"
        before = file.read_text().splitlines() if file.exists() else []
        file.write_text("\n".join([*before[1 - KEPT :], json.dumps(asdict(run))]) + "\n")


def newest(folder: Path) -> list[SuiteRun]:
    """Return the newest run of each suite, in the order in which they ended."""
    runs = [
        SuiteRun(**json.loads(file.read_text().splitlines()[-1])) for file in folder.glob("*.jsonl")
    ]
    return sorted(runs, key=lambda run: run.at)


def table(runs: Sequence[SuiteRun]) -> str:
    """Format the runs as a table for reading."""
    lines = [f"{'suite':<14}{'tests':>6}{'failed':>8}{'seconds':>9}{'fixtures':>10}"]
    lines += [
        f"{run.suite:<14}{run.tests:>6}{run.failed:>8}{run.seconds:>9.0f}{run.fixtures:>10.0%}"
        for run in runs
    ]
    lines.append(
        f"{'all':<14}{sum(r.tests for r in runs):>6}{sum(r.failed for r in runs):>8}"
        f"{sum(r.seconds for r in runs):>9.0f}"
    )
    for run in runs:
        lines += ["", f"Slowest of {run.suite}, with fixtures:"]
        lines += [f"{seconds:>8.1f} s  {test}" for test, seconds in run.slowest]
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(newest(Path(".data/timings"))))  # noqa: T201
