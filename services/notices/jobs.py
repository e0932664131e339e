"""Scheduled jobs of notices. Each job may run twice, and on any replica."""

import structlog

from services.notices import push, sealing, store
from services.notices.domain.attachment import UNUSED
from services.notices.domain.guest import CONFIRM_WITHIN, ENDED, last_purged
from services.notices.domain.occupancy import PUBLISH
from services.notices.domain.refusals import NoSuchDraft
from services.notices.domain.visit import last_destroyed
from services.notices.kinds.kind import kind_of
from services.notices.mail_round import Round
from services.notices.receivers import side_by_side
from services.notices.settings import Settings, settings_of
from services.notices.usecases.draft_notice import PublishDraft, publish_draft
from services.notices.usecases.erase_guest import PurgeGuest, purge_guest
from services.notices.usecases.purge_attachment import purge_attachment
from services.notices.usecases.purge_visits import destroy_keys
from services.notices.usecases.purge_visits import purge_visits as purge
from services.notices.usecases.settle_occupancy import SettleOccupancy, settle_occupancy
from services.notices.usecases.tell_held import TellHeld
from services.notices.usecases.tell_held import tell_held as tell
from services.notices.webhooks import PURPOSE, send_next
from shared import folded_terms
from shared.clock import library_day, wall_clock
from shared.jobs import Jobs, in_any_order
from shared.owners import OwnerAway, OwnerRefused
from shared.unit_of_work import Run

log = structlog.get_logger()
jobs = Jobs()

AT_ONCE = 100
"""Number of deliveries of one round."""
MOST_AT_ONCE = 500
"""Number of visits deleted in one transaction."""


@jobs.steadily(seconds=1)
async def deliveries(run: Run) -> int:
    """Send notifications and links by e-mail; return the number of tries.

    Without a mail server nothing is sent, and in quiet hours only what is urgent: codes, alerts
    about the security of an account, and the e-mails in which guests confirm their address. If the
    server or another service is away, the round ends, so that the others are not tried in vain.
    """
    settings = run.settings
    if not isinstance(settings, Settings) or not settings.smtp_host:
        return 0
    return await Round(run, settings).send()


@jobs.every(seconds=15)
async def tell_held(run: Run) -> int:
    """Tell patrons what was held back until now, if it still is true; return the number ended.

    While another service is away, the rest waits.
    """
    done = 0
    for held in await store.deliveries.find_to_tell(run.database, run.now, AT_ONCE):
        try:
            now = await kind_of(held.kind).from_stored(held.about or {}).current(run)
        except (OwnerAway, OwnerRefused) as away:
            log.warning("notification waits", delivery=held.id, error=type(away).__name__)
            break
        await run(tell, TellHeld(held, None if now is None else now.stored))
        done += 1
    return done


@jobs.steadily(seconds=1)
async def webhooks(run: Run) -> int:
    """Send messages to the webhooks of client apps; return the number of tries."""
    master = sealing.master_of(settings_of(run).webhook_keys, PURPOSE)
    if master is None:
        return 0
    return await side_by_side(
        lambda: store.webhooks.find_due(run.database),
        lambda webhook_id: send_next(run, webhook_id, master),
    )


@jobs.steadily(seconds=1)
async def pushes(run: Run) -> int:
    """Send notifications to devices, but not in quiet hours; return the number of tries."""
    settings = settings_of(run)
    vapid = push.vapid_of(settings)
    if vapid is None or settings.is_quiet(wall_clock()):
        return 0
    return await side_by_side(
        lambda: store.devices.find_due(run.database),
        lambda service: push.send_next(run, settings, service, vapid),
    )


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


@jobs.every(minutes=10)
async def fold_terms(run: Run) -> int:
    """Give search terms that an earlier release stored today's form; return the number changed."""
    collections = (store.bank.BANK, store.enquiries.MESSAGES)
    return sum([await folded_terms.fold_terms(run.database, each) for each in collections])


@jobs.every(seconds=10)
async def publish_notices(run: Run) -> int:
    """Publish the drafts of notices whose time has come; return the number published."""
    done = 0
    for draft_id in await store.drafts.find_due(run.database, run.now, AT_ONCE):
        try:
            await run(publish_draft, PublishDraft(draft_id, run.settings.zone))
        except NoSuchDraft:
            continue  # another replica published it, or staff changed it meanwhile
        done += 1
    return done


@jobs.every(seconds=30)
async def occupancy(run: Run) -> int:
    """Call the next ones from each queue, publish changed numbers, and empty closed branches."""
    local = run.now.astimezone(run.settings.zone)
    branches = await store.occupancy.find_to_settle(run.database, run.now - PUBLISH)
    return sum([await run(settle_occupancy, SettleOccupancy(code, local)) for code in branches])


@jobs.every(minutes=10)
async def purge_visits(run: Run) -> int:
    """Destroy the keys of visits that are no longer kept, then delete the visits."""
    last = last_destroyed(library_day(run.now, run.settings.zone))
    done = await run(destroy_keys, last)
    while found := await store.visits.find_ids_until(run.database, last, MOST_AT_ONCE):
        done += await run(purge, found)
    return done


@jobs.every(minutes=10)
async def purge_guests(run: Run) -> int:
    """Delete questions that no guest has confirmed in time, and those that are no longer kept."""
    unconfirmed = await store.guests.find_unconfirmed(run.database, run.now - CONFIRM_WITHIN)
    over = await store.enquiries.find_of_guests(run.database, ENDED, last_purged(run.now))
    return sum([await run(purge_guest, PurgeGuest(one)) or 0 for one in (*unconfirmed, *over)])
