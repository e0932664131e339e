"""Scheduled jobs of visits."""

from services.notices.visits import store
from services.notices.visits.commands import settle_occupancy
from services.notices.visits.rules import PUBLISH, last_destroyed
from shared.clock import library_day
from shared.jobs import Jobs
from shared.unit_of_work import Run

jobs = Jobs()
MOST_AT_ONCE = 500
"""Number of visits deleted in one transaction."""


@jobs.every(seconds=30)
async def occupancy(run: Run) -> int:
    """Call the next ones from each queue, publish changed numbers, and empty closed branches."""
    local = run.now.astimezone(run.settings.zone)
    branches = await store.find_to_settle(run.database, run.now - PUBLISH)
    return sum([await run(settle_occupancy, code, local) for code in branches])


@jobs.every(minutes=10)
async def purge_visits(run: Run) -> int:
    """Destroy the keys of visits that are no longer kept, then delete the visits."""
    last = last_destroyed(library_day(run.now, run.settings.zone))
    done = await run(store.delete_keys, last)
    while found := await store.find_ids_until(run.database, last, MOST_AT_ONCE):
        done += await run(store.delete_visits, found)
    return done
