"""Scheduled jobs of sweeps and reworks."""

import random

from services.circulation.closures import store
from services.circulation.closures.commands import run_reworks, sweep_branch
from shared.clock import library_day, wall_clock
from shared.jobs import Jobs
from shared.unit_of_work import Run

jobs = Jobs()


REST = 2.0
"""Pause of a sweep after each chunk, as a multiple of the time the chunk took: check-outs go first.
Until a loan is swept, reads apply the rule, so there is no hurry; docs/performance.md has the
measurements."""


@jobs.every(seconds=10)
async def rework_fines(run: Run) -> int:
    """Lower assessed fines after days that they charged became free."""
    return await run_reworks(run, library_day(run.now, run.settings.zone))


@jobs.every(minutes=5)
async def due_dates(run: Run) -> int:
    """Continue each sweep until no chunk is left, then make its second pass when that is due.

    A loan made while the calendar of its branch changed may be committed after the sweep, with a
    due date from the previous calendar. Until this job finds the loan, reads apply the rule, and
    any change of the loan moves its due date first.
    """
    branches = await store.find_waiting(run.database, wall_clock(), all_settling=True)
    today = library_day(run.now, run.settings.zone)
    return sum([await sweep_branch(run, branch, today=today) for branch in branches])


@jobs.steadily(seconds=0.2)
async def sweep(run: Run) -> int:
    """Move due dates and holds soon after their branch announced a change, on every replica."""
    branches = await store.find_waiting(run.database, wall_clock(), all_settling=False)
    random.shuffle(branches)  # so that a branch that fails does not block the others forever
    return sum([await sweep_branch(run, branch, rest=REST) for branch in branches])
