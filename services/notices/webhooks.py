"""Sending messages to webhooks, signed as Standard Webhooks describe."""

import secrets
from base64 import b64encode
from datetime import UTC

import orjson
import structlog
from prometheus_client import Counter
from standardwebhooks import Webhook as Signer

from services.notices import receivers, store
from services.notices.domain.outgoing import dropped, given_up, is_too_late, sent
from services.notices.domain.webhook import Webhook, WebhookMessage, unsent
from services.notices.receivers import NotAllowed, ReceiverAway
from services.notices.sealing import Master, unwrapped
from services.notices.usecases.note_webhook_message import (
    NoteWebhookMessage,
    note_webhook_message,
)
from shared.clock import wall_clock
from shared.failpoint import failpoint
from shared.unit_of_work import Run

log = structlog.get_logger()

MESSAGES = Counter(
    "carrel_webhook_messages_total", "Tries to send a message to a webhook", ["state"]
)
PURPOSE = "webhooks"
"""Purpose of the master keys that seal secrets."""
SECRET_BYTES = 32


def new_secret() -> str:
    """Return a new secret in the form that libraries for Standard Webhooks take."""
    return "whsec_" + b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


async def send_next(run: Run, webhook_id: str, master: Master) -> bool | None:
    """Send the message that has waited longest; return whether the receiver did well.

    None if no message is due.
    """
    claimed = await store.webhooks.claim(run.database, webhook_id)
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
    await run(note_webhook_message, NoteWebhookMessage(after))
    return not after.receiver_failed


async def _try(message: WebhookMessage, run: Run, master: Master) -> WebhookMessage:
    """Send a message if it still is to be sent; return what became of it."""
    if is_too_late(message.queued_at, wall_clock()):
        return given_up(message, wall_clock())
    webhook = await store.webhooks.find_one(run.database, message.webhook_id)
    if webhook is None or webhook.state != "enabled":
        return dropped(message, "disabled", wall_clock())
    if not message.is_test:
        told = await store.notifications.find_one(run.database, message.notification_id)
        if told is None or told.withdrawn:
            return dropped(message, "withdrawn", wall_clock())
    content = content_of(message)
    headers = _headers(message, webhook, content, master)
    if headers is None:
        return unsent(message, "no-key", wall_clock())
    try:
        status = await receivers.post(
            webhook.url, content, headers, loopback=run.settings.simulation
        )
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
