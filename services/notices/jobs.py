"""Scheduled jobs of notices."""

from services.notices import store
from services.notices.domain.attachment import UNUSED
from services.notices.usecases.purge_attachment import purge_attachment
from shared.jobs import Jobs, in_any_order
from shared.unit_of_work import Run

jobs = Jobs()


@jobs.every(minutes=60)
async def purge_attachments(run: Run) -> int:
    """Delete files without a message, and contents without a file; return the number deleted."""
    done = 0
    unused = store.attachments.find_unused(run.database, run.now - UNUSED)
    async for attachment_id in in_any_order(unused):
        done += await run(purge_attachment, attachment_id)
    async for content in store.attachments.find_left_contents(run.database):
        await store.attachments.delete_content(run.database, content)
        done += 1
    return done
