"""The processor time and the memory that a system takes while nobody uses it.

    .venv/bin/python -m benchmarks.at_rest [--json] [--kafka apache] [--seconds 30]

The system is started, left alone until its start is over, and watched. Memory that processes share
counts in parts (proportional set size). All processes count: also what stands for `carrel up`, its
guard, and the prepared process from which services are forked.
"""

import contextlib
import os
import time
from pathlib import Path

from benchmarks.show import options, running, show
from ops.infrastructure.processes import System
from shared.mongo import Document

CALM_SECONDS = 20
TICKS = os.sysconf("SC_CLK_TCK")


def processor_seconds(running: System) -> dict[str, float]:
    """Return the processor time that each process has taken, by name, in seconds."""
    return {name: seconds_of(pid) for name, pid in process_ids(running).items()}


def process_ids(running: System) -> dict[str, int]:
    """Return the process ids of the database, the broker and the services, by name."""
    children = [*running.infrastructure.children, *running.processes.values()]
    return {child.name: child.pid for child in children if child.pid is not None}


def every_process(running: System) -> dict[str, int]:
    """Return the process ids of all that a system is made of, by name.

    Beside those of `process_ids` these are this process, in the place of `carrel up`, and its other
    children: the guard, and the prepared process from which the services are forked.
    """
    found = process_ids(running)
    found["up"] = os.getpid()
    found["prepared"] = int(_status(found["gateway-0"])[1])
    children = set[int]()
    for task in Path(f"/proc/{os.getpid()}/task").iterdir():
        with contextlib.suppress(FileNotFoundError):  # the thread has ended meanwhile
            children |= {int(pid) for pid in (task / "children").read_text().split()}
    [found["guard"]] = [pid for pid in children if _is_guard(pid)]
    return found


def _is_guard(pid: int) -> bool:
    return b"guard.py" in Path(f"/proc/{pid}/cmdline").read_bytes()


def _status(pid: int) -> list[str]:
    """Return the fields of a process's state after its name, which may have spaces."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def seconds_of(pid: int) -> float:
    """Return the processor time that a process has taken, in seconds."""
    fields = _status(pid)
    return (int(fields[11]) + int(fields[12])) / TICKS  # in user and in system mode


def _megabytes(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    [kilobytes] = [int(line.split()[1]) for line in lines if line.startswith("Pss:")]
    return kilobytes / 1024


def measure(running: System, seconds: float) -> Document:
    """Return the percentage of a core and the memory of each process, and of all together."""
    time.sleep(CALM_SECONDS)  # work of the start has ended by then
    processes = every_process(running)
    before, started = {name: seconds_of(pid) for name, pid in processes.items()}, time.monotonic()
    time.sleep(seconds)  # the time that is measured
    elapsed = time.monotonic() - started
    after = {name: seconds_of(pid) for name, pid in processes.items()}
    percent = {name: 100 * (after[name] - before[name]) / elapsed for name in after}
    memory = {name: _megabytes(pid) for name, pid in processes.items()}
    return {
        "seconds": round(elapsed),
        "percent_of_a_core": _with_total(percent),
        "megabytes": _with_total(memory),
    }


def _with_total(by_name: dict[str, float]) -> dict[str, float]:
    return {
        name: round(value, 1) for name, value in {**by_name, "all": sum(by_name.values())}.items()
    }


def main() -> None:
    """Start a system, watch it and print."""
    asked = options(kafka="embedded", seconds=30.0)
    with running(asked.kafka, simulation=False) as measured:
        show(measure(measured, asked.seconds), as_json=asked.json)


if __name__ == "__main__":
    main()
