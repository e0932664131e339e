"""Scheduled job of suspensions."""

from services.circulation.calendars import store as calendars_store
from services.circulation.suspensions.commands import resume_fines
from shared.clock import library_day
from shared.jobs import Jobs
from shared.unit_of_work import Run

jobs = Jobs()


@jobs.every(minutes=10)
async def fines_resumed(run: Run) -> int:
    """Publish, once for each fine suspension, that it has ended by the library day of `now`."""
    day = library_day(run.now, run.settings.zone)
    done = 0
    for suspension_id in await calendars_store.suspensions_to_resume(run.database, day):
        done += await run(resume_fines, suspension_id, day)
    return done
