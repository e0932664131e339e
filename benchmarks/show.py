"""The options of benchmarks, the system that they measure, and their output."""

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ops.infrastructure.processes import System, system


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
