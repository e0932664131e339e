"""Scheduled jobs of notices. Each job may run twice, and on any replica."""

import asyncio
from collections.abc import Sequence

import structlog
from prometheus_client import Counter
from pydantic import BaseModel

from services.notices import push, sealing, store
from services.notices.domain.attachment import UNUSED
from services.notices.domain.delivery import (
    DIGEST,
    Delivery,
    bounced,
    covering,
    dropped,
    ended_as,
    is_too_late,
    postponed,
    sent,
)
from services.notices.domain.notification import Notification
from services.notices.domain.occupancy import PUBLISH
from services.notices.domain.visit import last_destroyed
from services.notices.kinds.kind import kind_of
from services.notices.kinds.language import language_of
from services.notices.mail import Mailer, MailServerAway, NotSendable, Refused
from services.notices.queries.emails import BadAddress, Recipient, email_of
from services.notices.queries.notifications import as_it_is, with_texts
from services.notices.receivers import side_by_side
from services.notices.settings import Settings, settings_of
from services.notices.usecases.hold_for_digest import (
    HoldForDigest,
    close_digest,
    hold_for_digest,
)
from services.notices.usecases.note_delivery import NoteDelivery, note_delivery
from services.notices.usecases.purge_attachment import purge_attachment
from services.notices.usecases.purge_visits import destroy_keys
from services.notices.usecases.purge_visits import purge_visits as purge
from services.notices.usecases.settle_occupancy import SettleOccupancy, settle_occupancy
from services.notices.usecases.tell_held import TellHeld
from services.notices.usecases.tell_held import tell_held as tell
from services.notices.webhooks import PURPOSE, send_next
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
ASKING_SECONDS = 25.0
"""Time to ask other services about all parts of one e-mail; with that of sending, less than the
lease of a delivery."""
MOST_AT_ONCE = 500
"""Number of visits deleted in one transaction."""


class EmailAddress(BaseModel):
    """Accounts' answer: the address for one message, and the code to choose a new PIN."""

    address: str | None
    unsubscribe: str
    code: str | None = None


@jobs.steadily(seconds=1)
async def deliveries(run: Run) -> int:
    """Send notifications by e-mail; return the number of tries.

    Without a mail server nothing is sent, and in quiet hours only what is urgent. If the server or
    another service is away, the round ends, so that the others are not tried in vain.
    """
    settings = run.settings
    if not isinstance(settings, Settings) or not settings.smtp_host:
        return 0
    quiet = settings.is_quiet(wall_clock())
    async with Mailer(settings) as mailer:
        for tries in range(AT_ONCE):
            claimed = await store.deliveries.claim(run.database, only_urgent=quiet)
            if claimed is None:
                return tries
            if claimed.kind == DIGEST:
                claimed = await run(close_digest, claimed)
            elif await _can_wait(claimed, settings, run):
                due_at = settings.next_digest(wall_clock())
                claimed = await run(hold_for_digest, HoldForDigest(claimed, due_at))
            if claimed is None:
                continue
            try:
                after = await _try(claimed, mailer, settings, run)
            except (MailServerAway, OwnerAway, OwnerRefused, TimeoutError) as away:
                log.warning("delivery waits", delivery=claimed.id, error=type(away).__name__)
                await _note(NoteDelivery(postponed(claimed, wall_clock())), run)
                return tries + 1
            await _note(after, run)
    return AT_ONCE


async def _can_wait(delivery: Delivery, settings: Settings, run: Run) -> bool:
    """Return whether a delivery is to be sent with the digest of its patron.

    An urgent one is not. Nor is one that was tried before: it may have arrived, although nobody
    noted that.
    """
    if delivery.urgent or delivery.tries > 1:
        return False
    patron = await store.patrons.find_one(run.database, delivery.patron_id)
    told = await store.notifications.find_one(run.database, delivery.notification_id)
    if patron is None or told is None or not patron.wants_digest:
        return False
    digest_day = settings.next_digest(wall_clock()).date()
    kind = kind_of(told.kind)
    until = [await kind.from_stored(facts).useful_until(run) for facts in (told.about, *told.also)]
    return all(day is None or day > digest_day for day in until)


async def _try(delivery: Delivery, mailer: Mailer, settings: Settings, run: Run) -> NoteDelivery:
    """Send a delivery if it still is to be sent; return what became of it and of its parts.

    Raises MailServerAway, OwnerAway, OwnerRefused or TimeoutError.
    """
    now = wall_clock()
    if is_too_late(delivery, now):
        return NoteDelivery(postponed(delivery, now))
    parts = [delivery]
    if delivery.kind == DIGEST:
        parts = await store.deliveries.find_held_for(run.database, delivery.id)
    true: list[tuple[Delivery, Notification, Notification]] = []
    untrue: list[Delivery] = []
    async with asyncio.timeout(ASKING_SECONDS):
        for part in parts:
            told = await store.notifications.find_one(run.database, part.notification_id)
            if told is None or told.withdrawn:
                untrue.append(dropped(part, "withdrawn", now))
            elif (current := await as_it_is(told, run)) is None:
                untrue.append(dropped(part, "outdated", now))
            else:
                true.append((part, told, current))
    if delivery.kind != DIGEST:
        if untrue:
            return NoteDelivery(untrue[0])
        [(_, told, current)] = true
        after = await _send(delivery, [current], mailer, settings, run)
        return NoteDelivery(covering(after, told) if after.state == "sent" else after)
    after = dropped(delivery, "outdated", now)
    if true:
        after = await _send(delivery, [current for _, _, current in true], mailer, settings, run)
    ended = untrue
    if after.state == "sent":
        ended += [covering(ended_as(part, after), told) for part, told, _ in true]
    return NoteDelivery(after, tuple(ended))


async def _send(
    delivery: Delivery,
    currents: Sequence[Notification],
    mailer: Mailer,
    settings: Settings,
    run: Run,
) -> Delivery:
    """Send these notifications in one e-mail; return what became of it.

    A code to choose a new PIN waits for no digest, so it is asked for one notification alone.
    """
    reset_id = currents[0].about.get("reset_id")
    answer = await run.owners.get(
        "accounts",
        path_to("v1", "email-addresses", delivery.patron_id),
        now=run.now,
        params={"pin_reset": reset_id} if reset_id else None,
    )
    found = None if answer is None else EmailAddress.model_validate(answer)
    if found is None or found.address is None:
        return dropped(delivery, "outdated" if reset_id else "no-address", wall_clock())
    shown = await with_texts(run.database, delivery.patron_id, currents, settings.zone)
    patron = await store.patrons.find_one(run.database, delivery.patron_id)
    code = patron.speaks if patron else "en"
    try:
        message = email_of(
            delivery.id,
            [item.message for item in shown],
            to=Recipient(found.address, found.unsubscribe, found.code),
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
    return sent(delivery, wall_clock())


async def _note(noted: NoteDelivery, run: Run) -> None:
    delivery = noted.delivery
    DELIVERIES.labels(delivery.state).inc()
    if delivery.state in ("bounced", "failed"):
        log.warning(
            "delivery failed",
            delivery=delivery.id,
            state=delivery.state,
            reason=delivery.reason,
            smtp_code=delivery.smtp_code,
        )
    await run(note_delivery, noted)


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
