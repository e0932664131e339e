"""What events does because time has come."""

from services.events import queries
from services.events.usecases.announce_release import AnnounceRelease, announce_release
from shared.jobs import Jobs
from shared.unit_of_work import Run

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
