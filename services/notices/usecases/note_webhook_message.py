"""Record what became of one try to send a message to a webhook."""

from dataclasses import dataclass

from services.notices import store
from services.notices.domain.webhook import WebhookMessage, failed, succeeded
from shared.clock import wall_clock
from shared.unit_of_work import Work


@dataclass(frozen=True)
class NoteWebhookMessage:
    """A message after a try: the next version of the one that was claimed."""

    message: WebhookMessage


def note_webhook_message(work: Work, command: NoteWebhookMessage) -> None:
    """Save the message, and how sending to its webhook goes.

    Nothing is saved if another process has repeated the try, or the message was deleted.
    """
    message = command.message
    known = store.webhooks.get_message(work, message.id)
    if known is None or known.version != message.version - 1:
        return
    store.webhooks.save_messages(work, message)
    webhook = store.webhooks.get(work, message.webhook_id)
    if webhook is None:
        return
    if message.state == "sent":
        store.webhooks.save(work, succeeded(webhook, wall_clock()))
    elif message.receiver_failed and message.reason is not None:
        noted = failed(webhook, message.reason, wall_clock(), message.status)
        store.webhooks.save(work, noted)
