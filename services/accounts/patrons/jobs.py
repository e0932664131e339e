"""Scheduled jobs of patrons."""

from datetime import timedelta
from typing import cast

from services.accounts.cardholders import store as cardholders_store
from services.accounts.cardholders.rules import JUNIOR
from services.accounts.patrons import store
from services.accounts.patrons.commands.cards import warn_of_expiry
from services.accounts.patrons.commands.erasure import erase_settled
from services.accounts.patrons.commands.records import come_of_age
from services.accounts.patrons.refusals import NotSettled
from services.accounts.patrons.rules import PATIENCE, latest_birth
from services.accounts.refusals import NoSuchPatron
from services.accounts.settings import Settings
from shared.clock import library_day, wall_clock
from shared.jobs import Jobs, in_any_order
from shared.unit_of_work import Run

jobs = Jobs()


@jobs.steadily(seconds=5)
async def erasures(run: Run) -> int:
    """Finish erasures whose request ended halfway; return the number of patrons erased.

    One that circulation refuses is dropped: staff can ask for it again.
    """
    done = 0
    begun = store.find_begun(run.database, wall_clock() - PATIENCE)
    async for patron_id in in_any_order(begun):
        try:
            await erase_settled(run, patron_id)
        except (NoSuchPatron, NotSettled):
            continue
        done += 1
    return done


@jobs.every(minutes=10)
async def search_terms(run: Run) -> int:
    """Make patrons whom an earlier release stored findable by name; return how many."""
    done = 0
    while changed := await cardholders_store.add_terms(run.database):
        done += changed
    return done


@jobs.every(minutes=60)
async def cards(run: Run) -> int:
    """Warn patrons whose cards expire soon by the library day of `now`; return how many."""
    day = library_day(run.now, run.settings.zone)
    done = 0
    for terms in await store.find_terms(run.database):
        found = cardholders_store.find_expiring(
            run.database, terms.id, day, day + timedelta(days=terms.warn_days)
        )
        async for patron_id in in_any_order(found):
            done += await run(warn_of_expiry, patron_id, day)
    return done


@jobs.every(minutes=60)
async def birthdays(run: Run) -> int:
    """Make juniors adults who have come of age by the library day of `now`; return how many."""
    age = cast(Settings, run.settings).adult_age
    day = library_day(run.now, run.settings.zone)
    done = 0
    found = cardholders_store.find_born_by(run.database, JUNIOR, latest_birth(day, age))
    async for patron_id in in_any_order(found):
        done += await run(come_of_age, patron_id, day, age)
    return done
