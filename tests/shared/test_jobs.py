"""Jobs that run by the clock."""

import asyncio
import contextlib
from datetime import datetime, timedelta

import pytest

from shared.clock import wall_clock
from shared.jobs import Jobs, keep_schedule
from shared.unit_of_work import Run, UnitOfWork
from tests import patience
from tests.shared.things import ORIGIN, Raise, raise_count
from tests.support import until


async def test_a_job_waits_while_the_clock_is_wrong(
    unit_of_work: UnitOfWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = Jobs()
    ran = asyncio.Event()
    looked: list[datetime] = []

    @jobs.every(seconds=0.01)
    async def publish_due(_: Run) -> int:
        ran.set()
        return 1

    def tomorrow() -> datetime:
        looked.append(wall_clock())
        return looked[-1] + timedelta(days=1)

    async def looked_often() -> bool:
        return len(looked) > 3

    monkeypatch.setattr("shared.mongo.wall_clock", tomorrow)
    schedule = asyncio.create_task(keep_schedule(jobs, unit_of_work))
    await until(looked_often)
    assert not ran.is_set()

    monkeypatch.undo()
    async with patience.within(60):
        await ran.wait()
    schedule.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await schedule


async def test_a_steady_job_that_rests_looks_again_after_a_commit(
    unit_of_work: UnitOfWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.jobs.REST_SECONDS", 3600)
    jobs = Jobs()
    looks: list[int] = []
    first_commit = 3

    @jobs.steadily(seconds=0.01)
    async def work_on(_: Run) -> int:
        looks.append(unit_of_work.commits.count)
        if len(looks) == 1:  # a commit during a look, which may have come too late for it
            for number in range(first_commit):
                await unit_of_work.run(raise_count, Raise(f"{number}"), ORIGIN)
        return 0

    async def looked_again() -> bool:
        return len(looks) == 2

    async def looked_after_another() -> bool:
        return len(looks) == 3

    schedule = asyncio.create_task(keep_schedule(jobs, unit_of_work))
    await until(looked_again)
    await unit_of_work.run(raise_count, Raise("more"), ORIGIN)
    await until(looked_after_another)
    assert looks == [0, first_commit, first_commit + 1]
    schedule.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await schedule
