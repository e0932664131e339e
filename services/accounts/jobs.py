"""Scheduled jobs of accounts. Each job may run twice, and on any replica."""

from services.accounts import store
from services.accounts.domain.erasure import PATIENCE
from services.accounts.domain.refusals import NoSuchPatron, NotSettled
from services.accounts.usecases.erase_patron import erase_settled
from services.accounts.usecases.reset_pin import send_code
from shared.clock import wall_clock
from shared.jobs import Jobs, in_any_order
from shared.unit_of_work import Run

jobs = Jobs()


@jobs.steadily(seconds=5)
async def erasures(run: Run) -> int:
    """Finish erasures whose request ended halfway; return the number of patrons erased.

    One that circulation refuses is dropped: staff can ask for it again.
    """
    done = 0
    begun = store.find_begun_erasures(run.database, wall_clock() - PATIENCE)
    async for patron_id in in_any_order(begun):
        try:
            await erase_settled(run, patron_id)
        except (NoSuchPatron, NotSettled):
            continue
        done += 1
    return done


@jobs.steadily(seconds=1)
async def pin_resets(run: Run) -> int:
    """Let a code be sent for each request whose card has a holder; return the number of these."""
    done = 0
    async for reset_id in in_any_order(store.find_requested_resets(run.database)):
        done += await run(send_code, reset_id)
    return done
