"""Scheduled jobs of bookings."""

from datetime import timedelta

from services.events.bookings import store
from services.events.bookings.commands import lapse_booking, purge_sessions
from shared.jobs import Jobs
from shared.unit_of_work import Run

jobs = Jobs()
_AT_ONCE = 500


SESSIONS_KEPT = timedelta(days=1)
"""Time after a booked session for which it is kept, with the bookings of patrons who came."""


@jobs.every(minutes=1)
async def bookings(run: Run) -> int:
    """End bookings in study rooms whose patrons did not come, and delete sessions of past days."""
    done, zone = 0, run.settings.zone
    while due := await store.find_due(run.database, run.now, _AT_ONCE):
        ended = sum([await run(lapse_booking, one, zone) for one in due])
        if not ended:  # those that are left are of closed days, and end in another way
            break
        done += ended
    over = run.now - SESSIONS_KEPT
    while found := await store.find_over(run.database, over, _AT_ONCE):
        done += await run(purge_sessions, found)
    return done
