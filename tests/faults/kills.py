"""Killing a process at a named step, and who has which steps."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from ops.child import Child
from ops.processes import SERVICES
from tests.support import until

WORK = ("work.before-commit", "work.after-commit")
RELAY = ("relay.fetched", "relay.sent", "relay.acknowledged", "relay.marked")
LISTENER = ("listener.received", "listener.taken-in", "listener.committed")
SWEEP = ("sweep.moved",)

STEPS = (
    *((service, point) for service in ("accounts", "events") for point in (*WORK, *RELAY)),
    *(
        (service, point)
        for service in ("circulation", "notices")
        for point in (*WORK, *RELAY, *LISTENER)
    ),
    *(("gateway", point) for point in LISTENER),
    *(("circulation", point) for point in SWEEP),
)
"""Each service with each step that it takes."""


PATIENCE = 90.0
"""Seconds in which a process must come to its step."""


def armable(
    folder: Path, replicas: Mapping[str, int] = MappingProxyType({})
) -> dict[str, dict[str, str]]:
    """What processes are told by environment so that `arm` can reach each of them."""
    names = [
        f"{service}-{replica}"
        for service in SERVICES
        for replica in range(replicas.get(service, 1))
    ]
    return {name: {"CARREL_FAILPOINT": str(folder / f"{name}.failpoint")} for name in names}


def arm(process: Child, point: str, passes: int, *, stop: bool = False) -> None:
    """From now on the process dies, or stands still, at the `passes`-th pass of `point`."""
    file = _file(process)
    partial = file.with_suffix(".partial")
    partial.write_text(f"{point}:{passes}" + (":stop" if stop else ""))
    partial.rename(file)


def disarm(process: Child) -> None:
    """The process, and whoever is started in its place, lives on."""
    _file(process).unlink(missing_ok=True)


def _file(process: Child) -> Path:
    return Path(process.environment["CARREL_FAILPOINT"])


@dataclass(frozen=True)
class Death:
    """A process that was killed, and when, by time.monotonic()."""

    name: str
    at: float
    ready_at: float
    """When it was started again and could be used."""

    @property
    def service(self) -> str:
        """Whose process it was."""
        return self.name.rpartition("-")[0]

    @property
    def serving(self) -> bool:
        """Whether the others call it: the first replica of its service."""
        return self.name.endswith("-0")

    @property
    def away(self) -> float:
        """Seconds."""
        return self.ready_at - self.at


@asynccontextmanager
async def doomed(
    processes: Sequence[Child], point: str, passes: int
) -> AsyncIterator["asyncio.Task[Death]"]:
    """Whichever of the processes first passes `point` often enough dies, and is started again.

    Gives the task that waits for its death, which raises TimeoutError if none has died within
    PATIENCE. When the block is left all of them run.
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
        for process in processes:  # a second one may have come to it before it was disarmed
            await asyncio.to_thread(process.start)
        return Death(victim.name, died_at, time.monotonic())

    death = asyncio.create_task(start_again())
    try:
        yield death
    finally:
        await asyncio.wait([death])
