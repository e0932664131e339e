"""Scheduled jobs of seasons."""

import random

from services.events.seasons import queries
from services.events.seasons.commands.applications import purge_application
from services.events.seasons.commands.seasons import (
    continue_draw,
    purge_season,
    purge_sittings,
)
from services.events.seasons.commands.seats import pass_on_place
from services.events.seasons.rules.season import BALLOT_KEPT, PATRONS_KEPT
from services.events.seasons.store import seasons as seasons_store
from services.events.seasons.store import seats as seats_store
from shared.clock import library_day
from shared.jobs import Jobs, in_any_order
from shared.unit_of_work import Origin, Run

jobs = Jobs()
_AT_ONCE = 500


@jobs.steadily(seconds=1)
async def draws(run: Run) -> int:
    """Continue draws of study rooms; return the number of steps taken."""
    unfinished = list((await seasons_store.unfinished(run.database)).items())
    random.shuffle(unfinished)
    done = 0
    for season_id, since in unfinished:
        because = run.because_of(Origin(now=since))
        while await because(continue_draw, season_id):
            done += 1
    return done


@jobs.every(minutes=1)
async def standby(run: Run) -> int:
    """Pass on places in study rooms whose patrons did not come; return their number."""
    passed_on = 0
    for season_id, sitting in await queries.sittings_with_work(
        run.database, run.now, run.settings.zone
    ):
        while await run(pass_on_place, season_id, sitting):
            passed_on += 1
    return passed_on


@jobs.every(minutes=60)
async def purge_seasons(run: Run) -> int:
    """Delete what is no longer kept of seasons that are over; return the number of parts deleted.

    Applications end first, with their seats, then the sittings. The season with its ballot follows
    later.
    """
    today = library_day(run.now, run.settings.zone)
    done = 0
    for season_id in await seasons_store.find_ended_before(
        run.database, (today - PATRONS_KEPT).isoformat()
    ):
        ids = seasons_store.find_application_ids(run.database, season_id)
        async for application_id in in_any_order(ids):
            done += await run(purge_application, application_id, today, "purged")
        while found := await seats_store.find_sitting_ids(run.database, season_id, _AT_ONCE):
            done += await run(purge_sittings, found)
    for season_id in await seasons_store.find_ended_before(
        run.database, (today - BALLOT_KEPT).isoformat()
    ):
        done += await run(purge_season, season_id, today)
    return done
