"""Scheduled jobs of enquiries."""

from services.notices.enquiries.commands.attachments import purge_attachment
from services.notices.enquiries.commands.guests import purge_guest
from services.notices.enquiries.rules.enquiries import UNUSED
from services.notices.enquiries.rules.guests import CONFIRM_WITHIN, ENDED, last_purged
from services.notices.enquiries.store import attachments as attachments_store
from services.notices.enquiries.store import bank as bank_store
from services.notices.enquiries.store import enquiries as enquiries_store
from services.notices.enquiries.store import guests as guests_store
from shared import folded_terms
from shared.jobs import Jobs, in_any_order
from shared.unit_of_work import Run

jobs = Jobs()


@jobs.every(minutes=60)
async def purge_attachments(run: Run) -> int:
    """Delete files without a message, and contents without a file; return the number deleted."""
    done = 0
    unused = attachments_store.find_unused(run.database, run.now - UNUSED)
    async for attachment_id in in_any_order(unused):
        done += await run(purge_attachment, attachment_id)
    async for content in attachments_store.find_left_contents(run.database):
        await attachments_store.delete_content(run.database, content)
        done += 1
    return done


@jobs.every(minutes=10)
async def fold_terms(run: Run) -> int:
    """Give search terms that an earlier release stored today's form; return the number changed."""
    collections = (bank_store.BANK, enquiries_store.MESSAGES)
    return sum([await folded_terms.fold_terms(run.database, each) for each in collections])


@jobs.every(minutes=10)
async def purge_guests(run: Run) -> int:
    """Delete questions that no guest has confirmed in time, and those that are no longer kept."""
    unconfirmed = await guests_store.find_unconfirmed(run.database, run.now - CONFIRM_WITHIN)
    over = await enquiries_store.find_of_guests(run.database, ENDED, last_purged(run.now))
    return sum([await run(purge_guest, one) or 0 for one in (*unconfirmed, *over)])
