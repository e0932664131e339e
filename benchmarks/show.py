"""The options of benchmarks, the system that they measure, and their output."""

import argparse
import asyncio
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from ops.infrastructure.processes import System, system

T = TypeVar("T")


def options(**usual: Any) -> argparse.Namespace:
    """Return the options given: --json, and one for each of `usual`, of its type."""
    parser = argparse.ArgumentParser()
    for name, value in {"json": False, **usual}.items():
        if isinstance(value, bool):
            parser.add_argument(f"--{name}", action="store_true")
        else:
            parser.add_argument(f"--{name}", type=type(value), default=value)
    return parser.parse_args()


@contextmanager
def running(kafka: str = "embedded", *, simulation: bool = True, **more: Any) -> Iterator[System]:
    """Run the whole system on free ports until the block ends."""
    with (
        tempfile.TemporaryDirectory() as folder,
        system(
            Path(folder), simulation=simulation, usual_ports=False, broker=kafka, **more
        ) as started,
    ):
        yield started


@contextmanager
def serving(
    command: Sequence[str], environment: Mapping[str, str], log: Path = Path("/dev/stderr")
) -> Iterator[int]:
    """Run a Python module as a process until the block ends; yield its id."""
    with log.open("ab") as out:
        process = subprocess.Popen(  # noqa: S603 - commands of benchmarks
            [sys.executable, "-m", *command],
            env={**os.environ, **environment},
            stdout=out,
            stderr=out,
        )
        try:
            yield process.pid
        finally:
            process.terminate()
            process.wait(20)


async def calls(
    call: Callable[[T], Awaitable[object]], each: Iterable[T], at_once: int
) -> tuple[float, list[float]]:
    """Make a call for each, some at a time; return the seconds, and each one's milliseconds."""
    waiting = iter(each)
    milliseconds: list[float] = []

    async def work() -> None:
        for one in waiting:
            began = time.perf_counter()
            await call(one)
            milliseconds.append((time.perf_counter() - began) * 1000)

    started = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(at_once)))
    return time.perf_counter() - started, milliseconds


def machine() -> str:
    """Return what figures were measured on."""
    return (
        f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, "
        f"load {os.getloadavg()[0]:.0f}; callers, services, database and broker on it"
    )


def p95(values: Sequence[float]) -> float:
    """Return the 95th percentile."""
    return statistics.quantiles(values, n=20)[-1]


def show(found: Mapping[str, Any], *, as_json: bool) -> None:
    """Print the figures of each measured thing: a line for each, or all as one JSON document."""
    if as_json:
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
        return
    width = max(map(len, found))
    for name, figures in found.items():
        text = figures
        if isinstance(figures, Mapping):
            text = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in figures.items())
        sys.stdout.write(f"{name:>{width}}: {text}\n")
