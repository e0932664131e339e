"""Scheduled jobs of new PINs."""

from services.accounts.pins import store
from services.accounts.pins.commands import send_code
from shared.jobs import Jobs, in_any_order
from shared.unit_of_work import Run

jobs = Jobs()


@jobs.steadily(seconds=1)
async def pin_resets(run: Run) -> int:
    """Let a code be sent for each request whose card has a holder; return the number of these."""
    done = 0
    async for reset_id in in_any_order(store.find_requested(run.database)):
        done += await run(send_code, reset_id)
    return done
