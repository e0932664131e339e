"""Change devices and webhooks, and send messages to webhooks."""

import secrets
from base64 import b64encode
from datetime import UTC

import orjson
import structlog
from prometheus_client import Counter
from standardwebhooks import Webhook as Signer

from services.notices.channels import refusals
from services.notices.channels.clients.receivers import NotAllowed, ReceiverAway, post
from services.notices.channels.rules import devices as devices_rules
from services.notices.channels.rules import webhooks as webhooks_rules
from services.notices.channels.rules.devices import MOST_DEVICES, PushMessage, PushSubscription
from services.notices.channels.rules.outgoing import dropped, given_up, is_too_late, sent
from services.notices.channels.rules.webhooks import (
    MOST_WEBHOOKS,
    Webhook,
    WebhookMessage,
    failed,
    succeeded,
    unsent,
)
from services.notices.channels.store import devices as devices_store
from services.notices.channels.store import webhooks as webhooks_store
from services.notices.patrons import store as patrons_store
from services.notices.sealing import Master, unwrapped
from shared.clock import wall_clock
from shared.failpoint import failpoint
from shared.ids import new_id
from shared.refusals import or_refuse
from shared.unit_of_work import Run, Work

log = structlog.get_logger()

MESSAGES = Counter(
    "carrel_webhook_messages_total", "Tries to send a message to a webhook", ["state"]
)
for _state in ("sent", "waiting"):  # from zero on: the first of each is an increase
    MESSAGES.labels(_state)
PURPOSE = "webhooks"
"""Purpose of the master keys that seal secrets."""
SECRET_BYTES = 32


def add_device(
    work: Work, *, patron_id: str, endpoint: str, public_key: str, auth: str, name: str
) -> PushSubscription:
    """Add the device and return it; one that is known gets the new keys.

    A browser that another patron used until now changes hands. Raises NoSuchPatron or
    TooManyDevices. Writes the patron's record, so that no erasure can commit meanwhile.
    """
    patron = patrons_store.get_unless_erased(work, patron_id)
    patrons_store.hold(work, patron, patron_id)
    known = devices_store.get(work, devices_rules.subscription_id(endpoint))
    if known is not None and known.patron_id != patron_id:
        devices_store.delete(work, known.id)
        known = None
    if known is not None:
        slot: str | None = known.slot
    else:
        taken = devices_store.of_patrons(work, [patron_id])
        slot = devices_rules.free_slot(patron_id, {one.slot for one in taken})
    if slot is None:
        raise refusals.TooManyDevices(most=MOST_DEVICES)
    device = PushSubscription(
        id=devices_rules.subscription_id(endpoint),
        version=known.version + 1 if known else 1,
        patron_id=patron_id,
        slot=slot,
        endpoint=endpoint,
        public_key=public_key,
        auth=auth,
        name=name,
        created_at=wall_clock(),
    )
    devices_store.save(work, device)
    return device


def remove_device(work: Work, patron_id: str, subscription_id: str) -> None:
    """Remove the device with its messages. Raises NoSuchDevice."""
    device = devices_store.get(work, subscription_id)
    if device is None or device.patron_id != patron_id:
        raise refusals.NoSuchDevice
    devices_store.delete(work, device.id)


def note_push_message(work: Work, message: PushMessage) -> None:
    """Save the message; if the push service says that the device is gone, delete the device.

    Nothing is saved if another process has repeated the try, or the message was deleted.
    """
    known = devices_store.get_message(work, message.id)
    if known is None or known.version != message.version - 1:
        return
    if message.reason == "gone":
        devices_store.delete(work, message.subscription_id)
        return
    devices_store.save_messages(work, message)


def register_webhook(work: Work, url: str, topics: tuple[str, ...], secret: str) -> Webhook:
    """Register a webhook and return it. Raises TooManyWebhooks.

    Each has a slot of its own, by a unique index, so that two at once do not exceed the limit.
    """
    slot = webhooks_rules.free_slot({one.slot for one in webhooks_store.all_webhooks(work)})
    if slot is None:
        raise refusals.TooManyWebhooks(most=MOST_WEBHOOKS)
    topics = tuple(sorted(set(topics)))
    webhook = Webhook(new_id(), 1, slot, url, topics, secret, work.now)
    webhooks_store.save(work, webhook)
    return webhook


def switch_webhook(work: Work, webhook_id: str, enabled: bool) -> Webhook:
    """Turn the webhook on or off and return it. Raises NoSuchWebhook.

    Messages that wait when it is turned off are dropped at their next try.
    """
    webhook = _existing(work, webhook_id)
    switched = webhooks_rules.switched(webhook, enabled=enabled)
    if switched is not webhook:
        webhooks_store.save(work, switched)
    return switched


def replace_secret(work: Work, webhook_id: str, secret: str) -> Webhook:
    """Give the webhook a new secret and return it. Raises NoSuchWebhook."""
    webhook = webhooks_rules.with_secret(_existing(work, webhook_id), secret, wall_clock())
    webhooks_store.save(work, webhook)
    return webhook


def queue_test(work: Work, webhook_id: str) -> WebhookMessage:
    """Queue a message to see whether it arrives. Raises NoSuchWebhook or WebhookDisabled."""
    webhook = _existing(work, webhook_id)
    if webhook.state != "enabled":
        raise refusals.WebhookDisabled
    message = webhooks_rules.trial_message(webhook, new_id(), work.now, wall_clock())
    webhooks_store.save_messages(work, message)
    return message


def delete_webhook(work: Work, webhook_id: str) -> None:
    """Delete the webhook with its messages. Raises NoSuchWebhook."""
    _existing(work, webhook_id)
    webhooks_store.delete(work, webhook_id)


def _existing(work: Work, webhook_id: str) -> Webhook:
    return or_refuse(webhooks_store.get(work, webhook_id), refusals.NoSuchWebhook)


def note_webhook_message(work: Work, message: WebhookMessage) -> None:
    """Save the message, and how sending to its webhook goes.

    Nothing is saved if another process has repeated the try, or the message was deleted.
    """
    known = webhooks_store.get_message(work, message.id)
    if known is None or known.version != message.version - 1:
        return
    webhooks_store.save_messages(work, message)
    webhook = webhooks_store.get(work, message.webhook_id)
    if webhook is None:
        return
    if message.state == "sent":
        noted = succeeded(webhook, wall_clock())
        if noted is not webhook:
            webhooks_store.save(work, noted)
    elif message.receiver_failed and message.reason is not None:
        noted = failed(webhook, message.reason, wall_clock(), message.status)
        webhooks_store.save(work, noted)


def new_secret() -> str:
    """Return a new secret in the form that libraries for Standard Webhooks take."""
    return "whsec_" + b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


async def send_next(run: Run, webhook_id: str, master: Master) -> bool | None:
    """Send the message that has waited longest; return whether the receiver did well.

    None if no message is due.
    """
    claimed = await webhooks_store.claim(run.database, webhook_id)
    if claimed is None:
        return None
    after = await _try(claimed, run, master)
    MESSAGES.labels(after.state).inc()
    if after.state not in ("sent", "dropped"):
        log.warning(
            "webhook message not sent",
            webhook=webhook_id,
            message=after.id,
            state=after.state,
            reason=after.reason,
            status=after.status,
        )
    await run(note_webhook_message, after)
    return not after.receiver_failed


async def _try(message: WebhookMessage, run: Run, master: Master) -> WebhookMessage:
    """Send a message if it still is to be sent; return what became of it."""
    if is_too_late(message.queued_at, wall_clock()):
        return given_up(message, wall_clock())
    webhook = await webhooks_store.find_one(run.database, message.webhook_id)
    if webhook is None or webhook.state != "enabled":
        return dropped(message, "disabled", wall_clock())
    if not message.is_test:
        notification = await patrons_store.find_notification(run.database, message.notification_id)
        if notification is None or notification.withdrawn:
            return dropped(message, "withdrawn", wall_clock())
    content = content_of(message)
    headers = _headers(message, webhook, content, master)
    if headers is None:
        return unsent(message, "no-key", wall_clock())
    try:
        status = await post(webhook.url, content, headers, loopback=run.settings.simulation)
    except NotAllowed:
        return unsent(message, "not-allowed", wall_clock())
    except ReceiverAway:
        return unsent(message, "away", wall_clock())
    failpoint("webhook.sent")
    if 200 <= status < 300:
        return sent(message, wall_clock(), status)
    return unsent(message, "refused", wall_clock(), status)


def content_of(message: WebhookMessage) -> bytes:
    """Return the body of a message: ids, and never a text or a name."""
    about = (
        {}
        if message.is_test
        else {"notification_id": message.notification_id, "patron_id": message.patron_id}
    )
    at = message.at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return orjson.dumps({"type": message.kind, "timestamp": at, "data": about})


def _headers(
    message: WebhookMessage, webhook: Webhook, content: bytes, master: Master
) -> dict[str, str] | None:
    """Return the headers of a try: each secret in force signs the content.

    None if no master key opens the secret.
    """
    now = wall_clock()
    opened = [unwrapped(master, sealed.encode()) for sealed in webhook.secrets_at(now)]
    signatures = [
        Signer(secret.decode()).sign(message.id, now, content.decode())
        for secret in opened
        if secret is not None
    ]
    if opened[0] is None:
        return None
    return {
        "content-type": "application/json",
        "user-agent": "Carrel",
        "webhook-id": message.id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
