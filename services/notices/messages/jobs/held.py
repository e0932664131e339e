"""The job that delivers notifications that were held back."""

import structlog

from services.notices.channels.store import deliveries as deliveries_store
from services.notices.kinds.kind import kind_of
from services.notices.messages.commands.notifying import deliver_held
from shared.jobs import Jobs
from shared.owners import OwnerAway, OwnerRefused
from shared.unit_of_work import Run

jobs = Jobs()
log = structlog.get_logger()
AT_ONCE = 100
"""Number of deliveries of one round."""


@jobs.every(seconds=15)
async def tell_held(run: Run) -> int:
    """Deliver what was held back until now, if it still is true; return the number ended.

    While another service is away, the rest waits.
    """
    done = 0
    for held in await deliveries_store.find_held(run.database, run.now, AT_ONCE):
        try:
            now = await kind_of(held.kind).from_stored(held.about or {}).current(run)
        except (OwnerAway, OwnerRefused) as away:
            log.warning("notification waits", delivery=held.id, error=type(away).__name__)
            break
        await run(deliver_held, held, None if now is None else now.stored)
        done += 1
    return done
