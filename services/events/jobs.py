"""What events does because time has come."""

import random

from services.events import queries
from services.events.usecases.announce_release import AnnounceRelease, announce_release
from services.events.usecases.go_on import GoOn, go_on
from shared.jobs import Jobs
from shared.unit_of_work import Origin, Run

jobs = Jobs()
_AT_ONCE = 500


@jobs.every(minutes=1)
async def releases(run: Run) -> int:
    """Announce the recordings whose time has come; gives how many this run announced."""
    announced = 0
    while due := await queries.releases_due(run.database, run.now, limit=_AT_ONCE):
        for activity_id in due:
            announced += await run(announce_release, AnnounceRelease(activity_id))
    return announced


@jobs.steadily(seconds=1)
async def registrations(run: Run) -> int:
    """Go on with changes of activities: registrations to end, places to give; how many did."""
    unfinished = list((await queries.unfinished(run.database)).items())
    random.shuffle(unfinished)  # so that one that fails keeps no other waiting for ever
    done = 0
    for activity_id, since in unfinished:
        because = run.because_of(Origin(now=since))
        while count := await because(go_on, GoOn(activity_id)):
            done += count
    return done
