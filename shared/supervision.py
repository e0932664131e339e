"""Background tasks: restarted when they fail; the process exits when that does not help.

They wait for the commits of the process that leave them work.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import structlog
from prometheus_client import Counter

log = structlog.get_logger()

FAILURES = Counter(
    "carrel_background_task_failures_total", "Failures of background tasks", ["task"]
)

PAUSE_SECONDS = 0.5
"""Seconds before the first restart; twice as long before each further one."""
LONGEST_PAUSE_SECONDS = 30.0
CALM_SECONDS = 30.0
"""Seconds after which a task counts as working: its next failure counts as the first."""
UNREADY_AFTER = 3
"""Failures in a row after which the process reports that it is not ready."""
GIVE_UP_AFTER = 6
"""Failures in a row after which the process exits."""
CANCEL_AGAIN_SECONDS = 9.0
"""Seconds after which a task that has not ended is cancelled again.

A listener takes up to 8 s to finish its message and commit.
"""


class EndedEarly(Exception):
    """A background task returned although the service was not stopping."""


class Supervisor:
    """Runs the background tasks of a process.

    A failure is logged and counted at once, and the task is restarted after a pause. No task ends
    another. After GIVE_UP_AFTER failures in a row `give_up` is called: the process exits, and its
    process manager starts it again.
    """

    def __init__(self, give_up: Callable[[], None], stopping: Callable[[], bool]) -> None:
        self._give_up = give_up
        self._stopping = stopping
        self._failures: dict[str, int] = {}
        """Failures in a row, by task."""
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        """Run a task until the supervisor is stopped. `run` is called again after each failure."""
        self._failures[name] = 0
        FAILURES.labels(name)
        self._tasks.append(asyncio.create_task(self._supervise(name, run), name=name))

    async def stop(self) -> None:
        """Cancel every task and wait until all have ended.

        A library may swallow a cancellation, as aiokafka does while it closes a client. So tasks
        that continue are cancelled again.
        """
        running = set(self._tasks)
        while running:
            for task in running:
                task.cancel()
            _, running = await asyncio.wait(running, timeout=CANCEL_AGAIN_SECONDS)

    def failing(self) -> str | None:
        """Return the name and failures of a task that fails repeatedly; None while all run."""
        for name, failures in self._failures.items():
            if failures >= UNREADY_AFTER:
                return f"{name} failed {failures} times in a row"
        return None

    async def _supervise(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        while True:
            loop = asyncio.get_running_loop()
            calm = loop.call_later(CALM_SECONDS, self._failures.__setitem__, name, 0)
            error = await _failure_of(run)
            calm.cancel()
            if isinstance(error, EndedEarly) and self._stopping():
                return
            self._failures[name] += 1
            in_a_row = self._failures[name]
            pause = min(PAUSE_SECONDS * 2 ** (in_a_row - 1), LONGEST_PAUSE_SECONDS)
            FAILURES.labels(name).inc()
            log.error(
                "background task failed",
                task=name,
                error=type(error).__name__,
                in_a_row=in_a_row,
                seconds=pause,
                exc_info=error,
            )
            if in_a_row == GIVE_UP_AFTER:
                log.critical("process exits", task=name)
                self._give_up()
            await asyncio.sleep(pause)


@contextlib.asynccontextmanager
async def task_group() -> AsyncIterator[asyncio.TaskGroup]:
    """Run tasks as asyncio.TaskGroup does, and raise the first of their errors by itself.

    So a caller treats a database that is away as it does without tasks.
    """
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except BaseExceptionGroup as errors:
        raise _first(errors) from errors


async def _failure_of(run: Callable[[], Awaitable[None]]) -> BaseException:
    """Run a task and return why it ended."""
    try:
        await run()
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        return error  # a library cancelled what the task waited for; nobody cancelled the task
    except BaseExceptionGroup as group:
        return _first(group)
    except Exception as error:  # noqa: BLE001 - each error is logged, and the task restarted
        return error
    return EndedEarly()


def _first(error: BaseException) -> BaseException:
    """Return the first of the errors that a task group collected."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


class Commits:
    """Counts the commits of this process. All its methods belong to the event loop."""

    def __init__(self) -> None:
        self.count = 0
        self._next = asyncio.Event()

    def add(self) -> None:
        """Count a commit, and wake those who wait for one."""
        self.count += 1
        self._next.set()
        self._next = asyncio.Event()

    async def after(self, count: int, seconds: float) -> None:
        """Wait until there have been more than `count` commits, but at most some seconds."""
        if self.count == count:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._next.wait()
