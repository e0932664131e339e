"""Scheduled jobs of channels."""

from services.notices import sealing
from services.notices.channels.clients.receivers import side_by_side
from services.notices.channels.commands import PURPOSE, send_next
from services.notices.channels.store import webhooks as webhooks_store
from services.notices.settings import settings_of
from shared.jobs import Jobs
from shared.unit_of_work import Run

jobs = Jobs()


@jobs.steadily(seconds=1)
async def webhooks(run: Run) -> int:
    """Send messages to the webhooks of client apps; return the number of tries."""
    master = sealing.master_of(settings_of(run).webhook_keys, PURPOSE)
    if master is None:
        return 0
    return await side_by_side(
        lambda: webhooks_store.find_due(run.database),
        lambda webhook_id: send_next(run, webhook_id, master),
    )
