"""Waiting for the commits of a process."""

import asyncio

import pytest

from shared.supervision import Commits
from tests import patience


async def test_a_commit_since_the_count_was_taken_is_not_waited_for() -> None:
    commits = Commits()
    seen = commits.count
    commits.add()
    async with patience.within(30):
        await commits.after(seen, 3600)


async def test_a_commit_wakes_all_tasks_that_wait() -> None:
    commits = Commits()
    waiting = [asyncio.create_task(commits.after(0, 3600)) for _ in range(2)]
    await asyncio.sleep(0)  # they begin to wait
    commits.add()
    done, _ = await asyncio.wait(waiting, timeout=patience.stretched(30))
    assert done == set(waiting)


@pytest.mark.parametrize("turns", range(4))
async def test_a_task_that_is_woken_while_it_is_cancelled_ends(turns: int) -> None:
    """The cancellation comes some turns of the event loop after the commit."""
    commits = Commits()
    waiting = asyncio.create_task(commits.after(0, 3600))
    for _ in range(2):
        await asyncio.sleep(0)  # it begins to wait
    commits.add()
    for _ in range(turns):
        await asyncio.sleep(0)
    if waiting.cancel():
        await asyncio.wait([waiting])
        assert waiting.cancelled()
