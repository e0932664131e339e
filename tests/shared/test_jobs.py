"""Jobs that run by the clock."""

import asyncio
import contextlib
from datetime import datetime, timedelta

import pytest

from shared.clock import wall_clock
from shared.jobs import Jobs, keep_schedule
from shared.unit_of_work import Run, UnitOfWork
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
    async with asyncio.timeout(60):
        await ran.wait()
    schedule.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await schedule
