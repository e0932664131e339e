"""Scheduled jobs of invitations."""

from services.accounts.family import store
from services.accounts.family.commands import deliver_invitation
from shared.jobs import Jobs, in_any_order
from shared.unit_of_work import Run

jobs = Jobs()


@jobs.steadily(seconds=1)
async def invitations(run: Run) -> int:
    """Show each new invitation to the holder of its card; return the number of those shown."""
    done = 0
    async for invitation_id in in_any_order(store.find_requested(run.database)):
        done += await run(deliver_invitation, invitation_id)
    return done
