"""Jobs: work that a service does on a schedule, or at once for a given time."""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import structlog
from prometheus_client import Counter

from shared.clock import SKEW_SECONDS, wall_clock
from shared.mongo import clock_skew
from shared.processes import NOTED_EVERY, note_run
from shared.telemetry import correlated
from shared.tracing import span
from shared.unit_of_work import Origin, Run, UnitOfWork

log = structlog.get_logger()

IDLE_SECONDS = 1.0
"""Longest pause of a steady job that finds no work, unless its own is longer."""
IDLE_GROWTH = 1.2
REST_SECONDS = 4.0
"""Longest time for which it waits, before that pause, for a commit of its process."""

ROUNDS = Counter("carrel_job_rounds_total", "Rounds of a scheduled job", ["job", "outcome"])

JobFunction = Callable[[Run], Awaitable[int]]


@dataclass(frozen=True)
class Job:
    """A job, safe to run twice or by several replicas at once; `run` returns how much it did."""

    name: str
    every_seconds: float
    run: JobFunction
    steady: bool = False
    """True for a job that processes waiting work; it runs by itself in a simulation too."""


class Jobs:
    """The jobs of a subject, `@jobs.every(minutes=10)` above a function; those of a service."""

    def __init__(self, *parts: "Jobs") -> None:
        self.by_name: dict[str, Job] = {}
        for part in parts:
            self._add(*part.by_name.values())

    def every(
        self, *, minutes: float = 0, seconds: float = 0
    ) -> Callable[[JobFunction], JobFunction]:
        """Register a job under its function's name, with dashes for underscores."""
        return self._register(minutes * 60 + seconds, steady=False)

    def steadily(self, *, seconds: float) -> Callable[[JobFunction], JobFunction]:
        """Register a job that processes waiting work, and looks for more every `seconds`.

        It looks less often while there is none. What a use case of the same process leaves to be
        done it finds within IDLE_SECONDS, what another process leaves REST_SECONDS later.
        """
        return self._register(seconds, steady=True)

    def _register(self, seconds: float, *, steady: bool) -> Callable[[JobFunction], JobFunction]:
        def register(function: JobFunction) -> JobFunction:
            self._add(Job(function.__name__.replace("_", "-"), seconds, function, steady))
            return function

        return register

    def _add(self, *jobs: Job) -> None:
        for job in jobs:
            if job.name in self.by_name:
                raise TypeError(f"two jobs have the name {job.name}")
            self.by_name[job.name] = job


async def in_any_order(ids: AsyncIterator[str]) -> AsyncIterator[str]:
    """Yield the ids, shuffled in groups of 500.

    So replicas that run a job concurrently share its work: they rarely meet at the same id.
    """
    some: list[str] = []
    async for found in ids:
        some.append(found)
        if len(some) == 500:
            random.shuffle(some)
            for each in some:
                yield each
            some.clear()
    random.shuffle(some)
    for each in some:
        yield each


async def keep_schedule(jobs: Jobs, unit_of_work: UnitOfWork, *, simulation: bool = False) -> None:
    """Run every job at its interval by the wall clock until cancelled.

    In a simulation the wall clock means nothing: only the steady jobs run on their own; the others
    run when they are called.
    """
    async with asyncio.TaskGroup() as group:
        for job in jobs.by_name.values():
            for outcome in ("done", "failed", "waits"):  # from zero on: the first is an increase
                ROUNDS.labels(job.name, outcome)
            if job.steady or not simulation:
                group.create_task(_repeat(job, unit_of_work))
        await asyncio.Event().wait()


async def _repeat(job: Job, unit_of_work: UnitOfWork) -> None:
    pause, noted = job.every_seconds, 0.0
    database, replica = unit_of_work.database, unit_of_work.settings.replica
    while True:
        # Replicas that started together drift apart.
        await asyncio.sleep(pause * random.uniform(0.9, 1.1))  # noqa: S311
        origin, commits = Origin(now=wall_clock()), unit_of_work.commits.count
        with correlated(origin.correlation_id):
            outcome, done = await _run(job, Run(unit_of_work, origin, within=30.0))
        idle = job.steady and not done
        # A steady job with much to do runs all the time.
        if not job.steady or (
            (done or outcome != "done") and time.monotonic() - noted > NOTED_EVERY
        ):
            await note_run(database, job.name, outcome, done, replica)
            noted = time.monotonic()
        longest = max(job.every_seconds, IDLE_SECONDS)
        pause = min(pause * IDLE_GROWTH, longest) if idle else job.every_seconds
        if idle:
            await unit_of_work.commits.after(commits, REST_SECONDS)


async def _run(job: Job, run: Run) -> tuple[str, int]:
    """Run a job once; return the outcome, and how much it did.

    A failure ends here: the next round tries again.
    """
    try:
        # A steady job does not depend on the clock, and nearly always finds no work: only its use
        # cases get a span.
        skew = 0.0 if job.steady else await clock_skew(run.database.client)
        if abs(skew) > SKEW_SECONDS:  # a job with a wrong date would notify patrons too early
            ROUNDS.labels(job.name, "waits").inc()
            log.warning("job waits", job=job.name, clock_off_seconds=round(skew))
            return "waits", 0
        with contextlib.nullcontext() if job.steady else span(f"job {job.name}"):
            done = await job.run(run)
    except Exception as error:  # noqa: BLE001 - as above
        ROUNDS.labels(job.name, "failed").inc()
        log.warning("job failed", job=job.name, error=type(error).__name__)
        return "failed", 0
    ROUNDS.labels(job.name, "done").inc()
    if done:
        log.info("job done", job=job.name, count=done)
    return "done", done
