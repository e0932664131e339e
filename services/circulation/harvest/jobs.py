"""Scheduled job of harvesting."""

from services.circulation.harvest import store
from shared.jobs import Jobs
from shared.unit_of_work import Run

jobs = Jobs()


@jobs.every(minutes=10)
async def note_changes(run: Run) -> int:
    """Give titles that an earlier release stored the time of a change, so that they are found."""
    return await store.note_changes(run.database)
