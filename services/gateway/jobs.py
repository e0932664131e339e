"""Scheduled jobs of the gateway."""

from datetime import timedelta

from services.gateway.views.store import builds
from shared.clock import wall_clock
from shared.jobs import Jobs
from shared.settings import Settings
from shared.unit_of_work import Run

jobs = Jobs()

MARGIN_DAYS = 7
CHUNK = 200


def tombstone_retention(settings: Settings) -> timedelta:
    """Return how long views keep tombstones: longer than an older event can be delayed.

    Topics keep events for some days, and so do outboxes, from which `carrel replay` refills them.
    """
    return timedelta(days=max(settings.retention_days, settings.outbox_days) + MARGIN_DAYS)


@jobs.every(minutes=10)
async def purge_tombstones(run: Run) -> int:
    """Remove items that ended long ago, by the wall clock even in a simulation.

    Return the number of views and queue places that contained such items.
    """
    before = wall_clock() - tombstone_retention(run.settings)
    purged = 0
    while count := await builds.purge(run.database, before, CHUNK):
        purged += count
    return purged
