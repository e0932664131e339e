"""Limits of waits in tests, stretched with the slowness of the machine.

A wait ends when its condition comes true. So a long limit makes only a failing test slower, and a
short one fails a good test on a slow machine. Every limit is given in seconds of a quiet machine.
"""

import asyncio
import hashlib
import os
import time

VARIABLE = "TEST_SLOWNESS"
"""Environment variable with the factor of a run: worker processes and their children inherit it."""

WORK_SECONDS = 0.052
"""Seconds of `_work` on a quiet machine with two cores (a median of 2026-12)."""
SLEEPS_SECONDS = 0.102
"""Seconds of `_sleeps` there: each sleep of 5 ms ends 0.1 ms late."""
MOST = 8.0
"""Greatest factor. A test that would need more says that something is broken."""
LOADED = 2.0
"""Factor for the load of the run itself, which starts after the measurement: 4 tests on 2 cores."""


def slowness() -> float:
    """Return the factor of this run, at least 1; measure it if no process did so before."""
    if VARIABLE not in os.environ:
        os.environ[VARIABLE] = f"{factor(_work(), _sleeps()):.2f}"
    return float(os.environ[VARIABLE])


def factor(work: float, sleeps: float) -> float:
    """Return the slowness of a machine that needs these seconds for `_work` and `_sleeps`."""
    return min(MOST, max(1.0, work / WORK_SECONDS, sleeps / SLEEPS_SECONDS))


def stretched(seconds: float) -> float:
    """Return the limit of a wait in seconds of this run."""
    return seconds * slowness() * LOADED


def within(seconds: float) -> asyncio.Timeout:
    """Limit the block to these seconds, stretched. It raises TimeoutError."""
    return asyncio.timeout(stretched(seconds))


def _work() -> float:
    """Hash in a loop; return the seconds."""
    began, digest = time.perf_counter(), b""
    for _ in range(180_000):
        digest = hashlib.sha256(digest).digest()
    return time.perf_counter() - began


def _sleeps() -> float:
    """Sleep 20 times for 5 ms; return the seconds, which grow with how late a thread wakes."""
    began = time.perf_counter()
    for _ in range(20):
        time.sleep(0.005)
    return time.perf_counter() - began
