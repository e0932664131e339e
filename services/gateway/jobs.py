"""Door 3: what the gateway does because time has come."""

from datetime import timedelta

from services.gateway import store
from shared.clock import wall_clock
from shared.jobs import Jobs
from shared.settings import Settings
from shared.unit_of_work import Run

jobs = Jobs()

MARGIN_DAYS = 7
CHUNK = 200


def remembered(settings: Settings) -> timedelta:
    """How long views remember what has ended: longer than an older event may come late.

    Topics keep events for some days, and outboxes, from which `carrel replay` fills them again.
    """
    return timedelta(days=max(settings.retention_days, settings.outbox_days) + MARGIN_DAYS)


@jobs.every(minutes=10)
async def forget_ends(run: Run) -> int:
    """Forget what ended long ago, by the wall clock also in a simulation; of how many things."""
    before = wall_clock() - remembered(run.settings)
    forgotten = 0
    while count := await store.forget(run.database, before, CHUNK):
        forgotten += count
    return forgotten
