"""Scheduled jobs of events."""

import random
from datetime import timedelta

from services.events import queries, store
from services.events.domain.season import BALLOT_KEPT, PATRONS_KEPT
from services.events.usecases.announce_release import AnnounceRelease, announce_release
from services.events.usecases.continue_change import ContinueChange, continue_change
from services.events.usecases.draw_season import ContinueDraw, continue_draw
from services.events.usecases.end_booking import LapseBooking, lapse_booking, purge_sessions
from services.events.usecases.pass_on_places import PassOnPlace, pass_on_place
from services.events.usecases.purge_season import PurgeSeason, purge_season, purge_sittings
from services.events.usecases.settle_calendar import SettleCalendar, settle_calendar
from services.events.usecases.withdraw_application import PurgeApplication, purge_application
from shared.clock import library_day
from shared.jobs import Jobs, in_any_order
from shared.unit_of_work import Origin, Run

jobs = Jobs()
_AT_ONCE = 500
SESSIONS_KEPT = timedelta(days=1)
"""Time after a booked session for which it is kept, with the bookings of patrons who came."""


@jobs.every(minutes=1)
async def releases(run: Run) -> int:
    """Publish the release of recordings whose time has come; return the number published."""
    announced = 0
    while due := await queries.releases_due(run.database, run.now, limit=_AT_ONCE):
        for activity_id in due:
            announced += await run(announce_release, AnnounceRelease(activity_id))
    return announced


@jobs.steadily(seconds=1)
async def registrations(run: Run) -> int:
    """Continue changes of activities; return how many registrations ended or got a place."""
    unfinished = list((await queries.unfinished(run.database)).items())
    random.shuffle(unfinished)  # so that an activity that fails does not block the others forever
    done = 0
    for activity_id, since in unfinished:
        because = run.because_of(Origin(now=since))
        while count := await because(continue_change, ContinueChange(activity_id)):
            done += count
    return done


@jobs.steadily(seconds=1)
async def draws(run: Run) -> int:
    """Continue draws of study rooms; return the number of steps taken."""
    unfinished = list((await store.seasons.unfinished(run.database)).items())
    random.shuffle(unfinished)
    done = 0
    for season_id, since in unfinished:
        because = run.because_of(Origin(now=since))
        while await because(continue_draw, ContinueDraw(season_id)):
            done += 1
    return done


@jobs.steadily(seconds=1)
async def closures(run: Run) -> int:
    """Let study rooms follow changed calendars; return how many bookings and places ended."""
    unsettled = list((await store.calendars.find_unsettled(run.database)).values())
    random.shuffle(unsettled)
    done = 0
    for calendar in unsettled:
        cause = calendar.unsettled
        if cause is None:
            continue
        because = run.because_of(Origin(cause.at, cause.correlation_id, cause.causation_id))
        command = SettleCalendar(calendar.id, run.settings.zone)
        while count := await because(settle_calendar, command):
            done += count
    return done


@jobs.every(minutes=1)
async def standby(run: Run) -> int:
    """Pass on places in study rooms whose patrons did not come; return their number."""
    passed_on = 0
    for season_id, sitting in await queries.sittings_with_work(
        run.database, run.now, run.settings.zone
    ):
        while await run(pass_on_place, PassOnPlace(season_id, sitting)):
            passed_on += 1
    return passed_on


@jobs.every(minutes=1)
async def bookings(run: Run) -> int:
    """End bookings in study rooms whose patrons did not come, and delete sessions of past days."""
    done, zone = 0, run.settings.zone
    while due := await store.bookings.find_due(run.database, run.now, _AT_ONCE):
        ended = sum([await run(lapse_booking, LapseBooking(one, zone)) for one in due])
        if not ended:  # those that are left are of closed days, and end in another way
            break
        done += ended
    over = run.now - SESSIONS_KEPT
    while found := await store.bookings.find_over(run.database, over, _AT_ONCE):
        done += await run(purge_sessions, found)
    return done


@jobs.every(minutes=60)
async def purge_seasons(run: Run) -> int:
    """Delete what is no longer kept of seasons that are over; return the number of parts deleted.

    Applications end first, with their seats, then the sittings. The season with its ballot follows
    later.
    """
    today = library_day(run.now, run.settings.zone)
    done = 0
    for season_id in await store.seasons.find_ended_before(
        run.database, (today - PATRONS_KEPT).isoformat()
    ):
        ids = store.seasons.find_application_ids(run.database, season_id)
        async for application_id in in_any_order(ids):
            done += await run(purge_application, PurgeApplication(application_id, today, "purged"))
        while found := await store.seats.find_sitting_ids(run.database, season_id, _AT_ONCE):
            done += await run(purge_sittings, found)
    for season_id in await store.seasons.find_ended_before(
        run.database, (today - BALLOT_KEPT).isoformat()
    ):
        done += await run(purge_season, PurgeSeason(season_id, today))
    return done
