"""Scheduled jobs of notices. Each job may run twice, and on any replica."""

from dataclasses import replace

import structlog
from prometheus_client import Counter
from pydantic import BaseModel

from services.notices import store
from services.notices.domain.attachment import UNUSED
from services.notices.domain.delivery import (
    Delivery,
    bounced,
    dropped,
    is_too_late,
    postponed,
    sent,
)
from services.notices.domain.notification import Notification
from services.notices.domain.occupancy import PUBLISH
from services.notices.domain.refusals import NoSuchDraft
from services.notices.domain.visit import last_destroyed
from services.notices.kinds.kind import kind_of
from services.notices.kinds.language import language_of
from services.notices.mail import Mailer, MailServerAway, NotSendable, Refused
from services.notices.queries.emails import BadAddress, Recipient, email_of
from services.notices.queries.notifications import with_texts
from services.notices.settings import Settings
from services.notices.usecases.draft_notice import PublishDraft, publish_draft
from services.notices.usecases.note_delivery import NoteDelivery, note_delivery
from services.notices.usecases.purge_attachment import purge_attachment
from services.notices.usecases.purge_visits import destroy_keys
from services.notices.usecases.purge_visits import purge_visits as purge
from services.notices.usecases.settle_occupancy import SettleOccupancy, settle_occupancy
from shared.clock import library_day, wall_clock
from shared.failpoint import failpoint
from shared.jobs import Jobs, in_any_order
from shared.owners import OwnerAway, OwnerRefused, path_to
from shared.unit_of_work import Run

log = structlog.get_logger()
jobs = Jobs()

DELIVERIES = Counter("carrel_deliveries_total", "Tries to send a notification", ["state"])
AT_ONCE = 100
"""Number of deliveries of one round."""
MOST_AT_ONCE = 500
"""Number of visits deleted in one transaction."""


class EmailAddress(BaseModel):
    """Accounts' answer: the address for one message."""

    address: str | None
    unsubscribe: str


@jobs.steadily(seconds=1)
async def deliveries(run: Run) -> int:
    """Send notifications by e-mail; return the number of tries.

    Without a mail server, and in quiet hours, nothing is sent. If the server or another service is
    away, the round ends, so that the others are not tried in vain.
    """
    settings = run.settings
    if not isinstance(settings, Settings) or not settings.smtp_host:
        return 0
    if settings.is_quiet(wall_clock()):
        return 0
    async with Mailer(settings) as mailer:
        for tries in range(AT_ONCE):
            claimed = await store.deliveries.claim(run.database)
            if claimed is None:
                return tries
            try:
                after = await _try(claimed, mailer, settings, run)
            except (MailServerAway, OwnerAway, OwnerRefused) as away:
                log.warning("delivery waits", delivery=claimed.id, error=type(away).__name__)
                await _note(postponed(claimed, wall_clock()), run)
                return tries + 1
            await _note(after, run)
    return AT_ONCE


async def _try(delivery: Delivery, mailer: Mailer, settings: Settings, run: Run) -> Delivery:
    """Send a delivery if it still is to be sent; return what became of it.

    Raises MailServerAway, OwnerAway or OwnerRefused.
    """
    if is_too_late(delivery, wall_clock()):
        return postponed(delivery, wall_clock())
    told = await store.notifications.find_one(run.database, delivery.notification_id)
    if told is None or told.withdrawn:
        return dropped(delivery, "withdrawn", wall_clock())
    current = await _current(told, run)
    if current is None:
        return dropped(delivery, "outdated", wall_clock())
    answer = await run.owners.get(
        "accounts", path_to("v1", "email-addresses", delivery.patron_id), now=run.now
    )
    found = None if answer is None else EmailAddress.model_validate(answer)
    if found is None or found.address is None:
        return dropped(delivery, "no-address", wall_clock())
    [shown] = await with_texts(run.database, delivery.patron_id, [current], settings.zone)
    patron = await store.patrons.find_one(run.database, delivery.patron_id)
    code = patron.speaks if patron else "en"
    try:
        message = email_of(
            delivery.id,
            shown.title,
            [shown.text],
            to=Recipient(found.address, found.unsubscribe),
            code=code,
            language=language_of(code),
            at=wall_clock(),
            settings=settings,
        )
        await mailer.send(message, found.address)
    except (BadAddress, NotSendable):
        return bounced(delivery, wall_clock(), code=None)
    except Refused as refused:
        if refused.for_good:
            return bounced(delivery, wall_clock(), code=refused.code)
        return postponed(delivery, wall_clock(), code=refused.code)
    failpoint("delivery.sent")
    return sent(delivery, told, wall_clock())


async def _current(told: Notification, run: Run) -> Notification | None:
    """Return the notification with its facts as they are now; None if none of them is true."""
    kind = kind_of(told.kind)
    facts = [await kind.from_stored(one).current(run) for one in (told.about, *told.also)]
    true = [one.stored for one in facts if one is not None]
    return replace(told, about=true[0], also=tuple(true[1:])) if true else None


async def _note(delivery: Delivery, run: Run) -> None:
    DELIVERIES.labels(delivery.state).inc()
    if delivery.state in ("bounced", "failed"):
        log.warning(
            "delivery failed",
            delivery=delivery.id,
            state=delivery.state,
            reason=delivery.reason,
            smtp_code=delivery.smtp_code,
        )
    await run(note_delivery, NoteDelivery(delivery))


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
