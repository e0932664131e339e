"""Scheduled jobs of OpenID Connect."""

import asyncio
from typing import cast

from services.accounts.openid import store
from services.accounts.openid.commands.log_out import tell_client
from services.accounts.settings import Settings
from shared.clock import wall_clock
from shared.jobs import Jobs
from shared.unit_of_work import Run

jobs = Jobs()


@jobs.steadily(seconds=1)
async def log_outs(run: Run) -> int:
    """Tell clients of sessions that have ended; return the number of clients that were told."""
    at, settings = wall_clock(), cast(Settings, run.settings)
    due = [grant_id async for grant_id in store.find_to_log_out(run.database, at)]
    told = await asyncio.gather(*(tell_client(run, settings, one, at) for one in due))
    return sum(told)
