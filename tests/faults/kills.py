"""Killing a process at a named step, and the steps of each service."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from ops.infrastructure.child import Child
from services.registry import NAMES
from tests.support import until

WORK = ("work.before-commit", "work.after-commit")
RELAY = ("relay.fetched", "relay.sent", "relay.acknowledged", "relay.marked")
LISTENER = ("listener.received", "listener.processed", "listener.committed")
SWEEP = ("sweep.moved",)

Step = tuple[str, str]
"""A service and one of its points."""

STEPS: tuple[Step, ...] = (
    *((service, point) for service in ("accounts", "events") for point in (*WORK, *RELAY)),
    *(
        (service, point)
        for service in ("circulation", "notices")
        for point in (*WORK, *RELAY, *LISTENER)
    ),
    *(("gateway", point) for point in LISTENER),
    *(("circulation", point) for point in SWEEP),
)
"""Each service with each of its steps."""


PATIENCE = 90.0
"""Seconds within which a process must reach the step."""


def armable(
    folder: Path, replicas: Mapping[str, int] = MappingProxyType({})
) -> dict[str, dict[str, str]]:
    """Return the environment of each process, with the file through which `arm` reaches it."""
    names = [
        f"{service}-{replica}" for service in NAMES for replica in range(replicas.get(service, 1))
    ]
    return {name: {"CARREL_FAILPOINT": str(folder / f"{name}.failpoint")} for name in names}


def arm(process: Child, point: str, passes: int, *, stop: bool = False) -> None:
    """Make the process die, or stop it, at the `passes`-th pass of `point`, counted from now."""
    file = _file(process)
    partial = file.with_suffix(".partial")
    partial.write_text(f"{point}:{passes}" + (":stop" if stop else ""))
    partial.rename(file)


def disarm(process: Child) -> None:
    """Let the process, and any process started in its place, pass all steps."""
    _file(process).unlink(missing_ok=True)


def _file(process: Child) -> Path:
    return Path(process.environment["CARREL_FAILPOINT"])


@dataclass(frozen=True)
class Death:
    """A killed process, with times from time.monotonic()."""

    name: str
    at: float
    ready_at: float
    """Time at which it was restarted and ready."""

    @property
    def service(self) -> str:
        """The service of the process."""
        return self.name.rpartition("-")[0]

    @property
    def serving(self) -> bool:
        """True if other services call this process: it is the first replica of its service."""
        return self.name.endswith("-0")

    @property
    def away(self) -> float:
        """Seconds from the kill until it was ready again."""
        return self.ready_at - self.at


@asynccontextmanager
async def doomed(
    processes: Sequence[Child], point: str, passes: int
) -> AsyncIterator["asyncio.Task[Death]"]:
    """Kill the first process that passes `point` often enough, and start it again.

    Yields the task that waits for the death; it raises TimeoutError if no process dies within
    PATIENCE. When the block ends, all processes run.
    """
    for process in processes:
        arm(process, point, passes)

    async def dead() -> Child | None:
        return next((process for process in processes if not process.running), None)

    async def start_again() -> Death:
        try:
            victim: Child = await until(dead, within=PATIENCE)
        finally:
            died_at = time.monotonic()
            for process in processes:
                disarm(process)
        assert victim.exit_code == -signal.SIGKILL, victim.tail()
        for process in processes:  # another one may have died before it was disarmed
            await asyncio.to_thread(process.start)
        return Death(victim.name, died_at, time.monotonic())

    death = asyncio.create_task(start_again())
    try:
        yield death
    finally:
        await asyncio.wait([death])


@asynccontextmanager
async def doomed_at_each(
    process: Child, steps: Sequence[tuple[str, int]]
) -> AsyncIterator["asyncio.Task[Death]"]:
    """Kill a process at each point in turn, with its number of passes.

    The next point is armed before the process starts again, so that nothing of the work passes it.
    Yields the task that waits for the last death; it raises TimeoutError if the process does not
    die within PATIENCE. When the block ends, the process runs.
    """
    arm(process, *steps[0])

    async def dead() -> bool:
        return not process.running

    async def start_each_time() -> Death:
        try:
            for following in steps[1:]:
                await until(dead, within=PATIENCE)
                assert process.exit_code == -signal.SIGKILL, process.tail()
                arm(process, *following)
                await asyncio.to_thread(process.launch)
            await until(dead, within=PATIENCE)
        finally:
            died_at = time.monotonic()
            disarm(process)
        assert process.exit_code == -signal.SIGKILL, process.tail()
        await asyncio.to_thread(process.start)
        return Death(process.name, died_at, time.monotonic())

    death = asyncio.create_task(start_each_time())
    try:
        yield death
    finally:
        await asyncio.wait([death])
