"""Scheduled jobs of activities."""

import random

from services.events.activities import queries
from services.events.activities.commands.programme import announce_release
from services.events.activities.commands.registrations import continue_change
from shared.jobs import Jobs
from shared.unit_of_work import Origin, Run

jobs = Jobs()
_AT_ONCE = 500


@jobs.every(minutes=1)
async def releases(run: Run) -> int:
    """Publish the release of recordings whose time has come; return the number published."""
    announced = 0
    while due := await queries.releases_due(run.database, run.now, limit=_AT_ONCE):
        for activity_id in due:
            announced += await run(announce_release, activity_id)
    return announced


@jobs.steadily(seconds=1)
async def registrations(run: Run) -> int:
    """Continue changes of activities; return how many registrations ended or got a place."""
    unfinished = list((await queries.unfinished(run.database)).items())
    random.shuffle(unfinished)  # so that an activity that fails does not block the others forever
    done = 0
    for activity_id, since in unfinished:
        because = run.because_of(Origin(now=since))
        while count := await because(continue_change, activity_id):
            done += count
    return done
