"""Scheduled jobs of closures."""

import random

from services.events.calendars import store as calendars_store
from services.events.closures.commands import settle_calendar
from shared.jobs import Jobs
from shared.unit_of_work import Origin, Run

jobs = Jobs()


@jobs.steadily(seconds=1)
async def closures(run: Run) -> int:
    """Let study rooms follow changed calendars; return how many bookings and places ended."""
    unsettled = list((await calendars_store.find_unsettled(run.database)).values())
    random.shuffle(unsettled)
    done = 0
    for calendar in unsettled:
        cause = calendar.unsettled
        if cause is None:
            continue
        because = run.because_of(Origin(cause.at, cause.correlation_id, cause.causation_id))
        while count := await because(settle_calendar, calendar.id, run.settings.zone):
            done += count
    return done
