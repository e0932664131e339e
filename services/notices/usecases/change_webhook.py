"""Register, test, turn on or off, or delete a webhook, and replace its secret."""

from dataclasses import dataclass

from services.notices import store
from services.notices.domain import webhook as rules
from services.notices.domain.webhook import Webhook, WebhookMessage
from services.notices.domain.webhook_refusals import (
    NoSuchWebhook,
    TooManyWebhooks,
    WebhookDisabled,
)
from shared.clock import wall_clock
from shared.ids import new_id
from shared.unit_of_work import Work


@dataclass(frozen=True)
class RegisterWebhook:
    """A new webhook, whose URL and topics are checked, with its sealed secret."""

    url: str
    topics: tuple[str, ...]
    secret: str


@dataclass(frozen=True)
class SwitchWebhook:
    """Turn a webhook on or off."""

    webhook_id: str
    enabled: bool


@dataclass(frozen=True)
class ReplaceSecret:
    """A new sealed secret of a webhook."""

    webhook_id: str
    secret: str


def register_webhook(work: Work, command: RegisterWebhook) -> Webhook:
    """Register a webhook and return it. Raises TooManyWebhooks.

    Each has a slot of its own, by a unique index, so that two at once do not exceed the limit.
    """
    slot = rules.free_slot({one.slot for one in store.webhooks.all_webhooks(work)})
    if slot is None:
        raise TooManyWebhooks
    topics = tuple(sorted(set(command.topics)))
    webhook = Webhook(new_id(), 1, slot, command.url, topics, command.secret, work.now)
    store.webhooks.save(work, webhook)
    return webhook


def switch_webhook(work: Work, command: SwitchWebhook) -> Webhook:
    """Turn the webhook on or off and return it. Raises NoSuchWebhook.

    Messages that wait when it is turned off are dropped at their next try.
    """
    webhook = _existing(work, command.webhook_id)
    switched = rules.switched(webhook, enabled=command.enabled)
    if switched is not webhook:
        store.webhooks.save(work, switched)
    return switched


def replace_secret(work: Work, command: ReplaceSecret) -> Webhook:
    """Give the webhook a new secret and return it. Raises NoSuchWebhook."""
    webhook = rules.with_secret(_existing(work, command.webhook_id), command.secret, wall_clock())
    store.webhooks.save(work, webhook)
    return webhook


def queue_test(work: Work, webhook_id: str) -> WebhookMessage:
    """Queue a message to see whether it arrives. Raises NoSuchWebhook or WebhookDisabled."""
    webhook = _existing(work, webhook_id)
    if webhook.state != "enabled":
        raise WebhookDisabled
    message = rules.trial_message(webhook, new_id(), work.now, wall_clock())
    store.webhooks.save_messages(work, message)
    return message


def delete_webhook(work: Work, webhook_id: str) -> None:
    """Delete the webhook with its messages. Raises NoSuchWebhook."""
    _existing(work, webhook_id)
    store.webhooks.delete(work, webhook_id)


def _existing(work: Work, webhook_id: str) -> Webhook:
    webhook = store.webhooks.get(work, webhook_id)
    if webhook is None:
        raise NoSuchWebhook
    return webhook
