"""The second look of the gate: each failed test is played once more, alone.

A suite that `make` names in SUITE records its failures in `.data/failures/`. When all suites
have ended, `python -m tests.second_look SUITE…` plays the failed tests of those suites again, one
after another. A test that passes then is *unsteady*: it is listed, and does not fail the gate.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pytest

from tests import sampling

MOST = 6
"""Greatest number of failures that get a second look; with more, something is broken."""

RECORD = "TEST_RECORD"
"""Environment variable with the file in which a run records its failures, for one without SUITE."""

SETTING = ("CARREL_", sampling.SEED)
"""Beginnings of the names of variables that choose what is tested."""


@dataclass(frozen=True)
class Failure:
    """A test that failed."""

    test: str
    """Its node id."""
    message: str
    """First line of the error."""
    seconds: float
    """Duration, fixtures included."""


@dataclass(frozen=True)
class Outcome:
    """The end of a run."""

    status: int
    """Exit status of pytest; 1 if tests failed and nothing else went wrong."""
    collected: bool
    """False if a module of tests could not be imported."""
    passed: int
    marks: str
    """The expression of marks with which the run chose its tests."""
    environment: Mapping[str, str]
    """Variables that choose what is tested, such as the broker."""
    failures: Sequence[Failure] = ()

    @classmethod
    def read(cls, file: Path) -> "Outcome":
        """Read a recorded outcome."""
        stored = json.loads(file.read_text())
        return cls(**{**stored, "failures": [Failure(**one) for one in stored["failures"]]})


def recorded(suite: str) -> Path:
    """Return the file that records the outcome of a suite."""
    return Path(".data/failures") / f"{suite}.json"


@dataclass(eq=False)  # pytest keeps its plugins in sets
class Recorder:
    """A pytest plugin of the reporting process: prints each failure at once, and records them."""

    marks: str
    failed: dict[str, str] = field(default_factory=dict)
    """First line of the error of each failed test."""
    _seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    _passed: int = 0
    _collected: bool = True

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note a module that could not be imported."""
        self._collected = self._collected and not report.failed

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add the duration of one phase of one test; print a failure."""
        self._seconds[report.nodeid] += report.duration
        self._passed += report.when == "call" and report.passed
        if report.failed:
            crash = getattr(report.longrepr, "reprcrash", None)
            reason = str(getattr(crash, "message", "") or report.longrepr or "")
            message = (reason.strip().splitlines() or [""])[0]
            self.failed.setdefault(report.nodeid, message)
            print(f"\nFAILED in {report.when}: {report.nodeid}: {message}", flush=True)  # noqa: T201

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """Write the outcome for the second look."""
        named, suite = os.environ.get(RECORD), os.environ.get("SUITE")
        if not (named or suite):
            return
        file = Path(named) if named else recorded(str(suite))
        outcome = Outcome(
            status=int(exitstatus),
            collected=self._collected,
            passed=self._passed,
            marks=self.marks,
            environment={n: v for n, v in os.environ.items() if n.startswith(SETTING)},
            failures=[
                Failure(test, message, round(self._seconds[test], 1))
                for test, message in self.failed.items()
            ],
        )
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(asdict(outcome)))


def play(test: str, marks: str = "", environment: Mapping[str, str] | None = None) -> float | None:
    """Play one test in this process's folder; return its seconds if it passed, else None."""
    with tempfile.TemporaryDirectory() as folder:
        record = Path(folder) / "outcome.json"
        inherited = {n: v for n, v in os.environ.items() if n != "SUITE"}
        variables = {**inherited, **(environment or {}), RECORD: str(record)}
        began = time.monotonic()
        command = [sys.executable, "-m", "pytest", "--numprocesses=0", "-m", marks, test]
        ended = subprocess.run(command, env=variables, check=False)
        took = time.monotonic() - began
        passed = ended.returncode == 0 and record.exists() and Outcome.read(record).passed > 0
        return took if passed else None


def look(suites: Sequence[str]) -> bool:
    """Play the failed tests of suites again; return whether none failed twice."""
    outcomes = {}
    for suite in suites:
        file = recorded(suite)
        if not file.exists():
            return _say(f"{suite} ended before it could record its failures.")
        outcomes[suite] = Outcome.read(file)
        if outcomes[suite].status != pytest.ExitCode.TESTS_FAILED or not outcomes[suite].collected:
            return _say(f"{suite} could not be collected, or was interrupted.")
    failures = [(suite, one) for suite, outcome in outcomes.items() for one in outcome.failures]
    if not failures:
        return _say("A suite failed without a failed test.")
    if len(failures) > MOST:
        return _say(f"{len(failures)} tests failed, so none gets a second look.")
    unsteady, broken = [], []
    for suite, failure in failures:
        outcome = outcomes[suite]
        print(f"\nSecond look at {failure.test} ({suite})", flush=True)  # noqa: T201
        again = play(failure.test, outcome.marks, outcome.environment)
        line = f"  {suite}: {failure.test}\n    {failure.message}\n    {failure.seconds:.1f} s"
        if again is None:
            broken.append(f"{line} beside others, failed again alone")
        else:
            unsteady.append(f"{line} beside others, {again:.1f} s alone")
    for title, lines in (
        ("Unsteady: failed beside others, passed alone", unsteady),
        ("Failed twice", broken),
    ):
        if lines:
            print(f"\n{title}", *lines, sep="\n", flush=True)  # noqa: T201
    return not broken


def _say(reason: str) -> bool:
    print(reason, file=sys.stderr, flush=True)  # noqa: T201
    return False


if __name__ == "__main__":
    sys.exit(0 if look(sys.argv[1:]) else 1)
