"""Send notifications to devices."""

import orjson
import structlog
from prometheus_client import Counter

from services.notices.channels.clients.push import Vapid, encrypted, vapid_of
from services.notices.channels.clients.receivers import NotAllowed, ReceiverAway, post, side_by_side
from services.notices.channels.commands import note_push_message
from services.notices.channels.rules.devices import ENDED, PushMessage
from services.notices.channels.rules.outgoing import (
    LASTS,
    dropped,
    given_up,
    is_too_late,
    postponed,
    sent,
)
from services.notices.channels.store import devices as devices_store
from services.notices.language import language_of
from services.notices.messages.queries.texts import SUBJECT_WITHOUT_TITLE, as_it_is, with_texts
from services.notices.patrons import store as patrons_store
from services.notices.settings import Settings, settings_of
from shared.clock import wall_clock
from shared.failpoint import failpoint
from shared.jobs import Jobs
from shared.unit_of_work import Run

jobs = Jobs()
log = structlog.get_logger()

MESSAGES = Counter("carrel_push_messages_total", "Tries to send a message to a device", ["state"])
for _state in ("sent", "waiting"):  # from zero on: the first of each is an increase
    MESSAGES.labels(_state)
MOST_CHARACTERS = 1000
"""Length of a text; push services take 4096 bytes at most, encrypted."""


@jobs.steadily(seconds=1)
async def pushes(run: Run) -> int:
    """Send notifications to devices, but not in quiet hours; return the number of tries."""
    settings = settings_of(run)
    vapid = vapid_of(settings)
    if vapid is None or settings.is_quiet(wall_clock()):
        return 0
    return await side_by_side(
        lambda: devices_store.find_due(run.database),
        lambda service: send_next(run, settings, service, vapid),
    )


async def send_next(run: Run, settings: Settings, service: str, vapid: Vapid) -> bool | None:
    """Send the message by a push service that has waited longest; return whether that did well.

    None if no message is due.
    """
    claimed = await devices_store.claim(run.database, service)
    if claimed is None:
        return None
    after = await _try(claimed, run, settings, vapid)
    MESSAGES.labels(after.state).inc()
    if after.service_failed:
        log.warning(
            "push message not sent", message=after.id, reason=after.reason, status=after.status
        )
    await run(note_push_message, after)
    return not after.service_failed


async def _try(message: PushMessage, run: Run, settings: Settings, vapid: Vapid) -> PushMessage:
    """Send a message if it still is to be sent; return what became of it."""
    if is_too_late(message.queued_at, wall_clock()):
        return given_up(message, wall_clock())
    device = await devices_store.find_one(run.database, message.subscription_id)
    notification = await patrons_store.find_notification(run.database, message.notification_id)
    if device is None or device.patron_id != message.patron_id:
        return dropped(message, "outdated", wall_clock())
    if notification is None or notification.withdrawn:
        return dropped(message, "withdrawn", wall_clock())
    current = await as_it_is(notification, run)
    if current is None:
        return dropped(message, "outdated", wall_clock())
    [shown] = await with_texts(run.database, message.patron_id, [current], settings.zone)
    patron = await patrons_store.find_one(run.database, message.patron_id)
    code = patron.speaks if patron else "en"
    content = {
        "title": language_of(code).say(SUBJECT_WITHOUT_TITLE),
        "text": shown.text[:MOST_CHARACTERS],
        "language": code,
        "tag": notification.id,
        "url": "/inbox",
    }
    headers = {
        "content-encoding": "aes128gcm",
        "content-type": "application/octet-stream",
        "ttl": str(int(LASTS.total_seconds())),
        "authorization": vapid.authorization(device.endpoint, wall_clock()),
    }
    try:
        status = await post(
            device.endpoint,
            encrypted(orjson.dumps(content), device),
            headers,
            loopback=settings.simulation,
        )
    except NotAllowed:
        return postponed(message, "not-allowed", wall_clock())
    except ReceiverAway:
        return postponed(message, "away", wall_clock())
    failpoint("push.sent")
    if status in ENDED:
        return dropped(message, "gone", wall_clock(), status)
    if 200 <= status < 300:
        return sent(message, wall_clock(), status)
    return postponed(message, "refused", wall_clock(), status)
