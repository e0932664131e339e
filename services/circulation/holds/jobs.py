"""Scheduled job of holds."""

from services.circulation.holds import store
from services.circulation.holds.commands.holds import expire_hold
from services.circulation.holds.commands.queue import serve_waiting
from shared.clock import library_day
from shared.jobs import Jobs
from shared.unit_of_work import Run

jobs = Jobs()


@jobs.every(minutes=10)
async def holds(run: Run) -> int:
    """End holds that ran out before the library day of `now`; serve holds that can be served.

    A command that makes a copy free gives it to a waiting hold at once. This job handles the cases
    that no command triggers: a freeze that ends, a debt that was paid, a branch that opened while a
    copy was being returned. The second pass of a sweep corrects shelf dates that its first pass
    missed.
    """
    day = library_day(run.now, run.settings.zone)
    done = 0
    async for hold_id in store.to_end(run.database, day):
        done += await run(expire_hold, hold_id, day)
    return done + await serve_waiting(run, day)
