"""Scheduled jobs of notices."""

from services.notices.notices import store
from services.notices.notices.commands import publish_draft
from services.notices.notices.refusals import NoSuchDraft
from shared.jobs import Jobs
from shared.unit_of_work import Run

jobs = Jobs()
AT_ONCE = 100
"""Number of drafts of one round."""


@jobs.every(seconds=10)
async def publish_notices(run: Run) -> int:
    """Publish the drafts of notices whose time has come; return the number published."""
    done = 0
    for draft_id in await store.find_due_drafts(run.database, run.now, AT_ONCE):
        try:
            await run(publish_draft, draft_id, run.settings.zone)
        except NoSuchDraft:
            continue  # another replica published it, or staff changed it meanwhile
        done += 1
    return done
