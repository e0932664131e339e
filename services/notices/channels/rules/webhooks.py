"""Webhooks: addresses of client apps that get a message about each notification of some kinds.

A message has ids only. Its times are of the wall clock, because receivers know no other.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID, uuid5

from services.notices.channels.rules.outgoing import OutgoingMessage, ended, postponed, to_queue
from services.notices.patrons.rules import Notification

State = Literal["enabled", "disabled", "failing", "gone"]
"""`disabled` by a person; `failing` after days in which nothing could be sent; `gone` after the
receiver said so (410). Only an enabled webhook gets messages."""
Reason = Literal["withdrawn", "disabled", "no-key", "not-allowed", "away", "refused", "too-late"]
"""`no-key`: no master key opens its secret; `not-allowed`: its address is not public; `away`: no
answer; `refused`: an answer but 2xx."""
MOST_WEBHOOKS = 20
TEST_KIND = "webhook.test"
DEAD_AFTER = timedelta(days=3)
"""Time without any success after which a webhook is disabled."""
NOTED_EVERY = timedelta(seconds=10)
"""Time after a success in which further ones are not noted."""
OVERLAP = timedelta(days=1)
"""Time in which messages are signed with the former secret too."""
GONE = 410

_NAMESPACE = UUID("8d1f6f0e-51c5-5c0e-9a43-2b7d0c9e4f16")


@dataclass(frozen=True)
class Webhook:
    """An address of a client app, and how sending to it goes."""

    id: str
    version: int
    slot: int
    """Number from 1 to MOST_WEBHOOKS that no other webhook has."""
    url: str
    topics: tuple[str, ...]
    """Topics of the events whose notifications it gets messages about."""
    secret: str
    """The secret that signs its messages, sealed with the master key."""
    created_at: datetime
    state: State = "enabled"
    former_secret: str | None = None
    former_until: datetime | None = None
    """End of the time in which messages are signed with the former secret too."""
    last_success_at: datetime | None = None
    last_failure_at: datetime | None = None
    last_failure: Reason | None = None
    last_status: int | None = None
    """HTTP status of the last answer that was a failure."""
    failing_since: datetime | None = None
    """First failure after the last success."""

    def secrets_at(self, at: datetime) -> tuple[str, ...]:
        """Return the sealed secrets that sign a message at an instant, the newest first."""
        former = self.former_secret
        if former is None or self.former_until is None or at >= self.former_until:
            return (self.secret,)
        return (self.secret, former)


@dataclass(frozen=True, kw_only=True)
class WebhookMessage(OutgoingMessage):
    """A message to a webhook about one notification, and what became of it.

    Its id is the `webhook-id`.
    """

    webhook_id: str
    kind: str
    at: datetime
    """Business time of the event that caused the notification."""
    reason: Reason | None = None

    @property
    def is_test(self) -> bool:
        """True for a message that a person asked for, about no notification."""
        return self.kind == TEST_KIND

    @property
    def receiver_failed(self) -> bool:
        """True if the last try failed because of the receiver or its address."""
        return self.reason in ("no-key", "not-allowed", "away", "refused")


def free_slot(taken: Collection[int]) -> int | None:
    """Return the lowest free slot; None if there are as many webhooks as there may be."""
    return next((slot for slot in range(1, MOST_WEBHOOKS + 1) if slot not in taken), None)


def switched(webhook: Webhook, *, enabled: bool) -> Webhook:
    """Return the webhook enabled, with its failures forgiven, or disabled by a person."""
    if enabled == (webhook.state == "enabled"):
        return webhook
    state: State = "enabled" if enabled else "disabled"
    return replace(webhook, version=webhook.version + 1, state=state, failing_since=None)


def with_secret(webhook: Webhook, sealed: str, at: datetime) -> Webhook:
    """Return the webhook with a new secret; the one until now signs too for a day."""
    return replace(
        webhook,
        version=webhook.version + 1,
        secret=sealed,
        former_secret=webhook.secret,
        former_until=at + OVERLAP,
    )


def message_id(webhook_id: str, notification_id: str) -> str:
    """Return the id of the message about a notification, the same at every replica."""
    return str(uuid5(_NAMESPACE, f"{webhook_id}:{notification_id}"))


def message_to_queue(
    webhook: Webhook, notification: Notification, known: WebhookMessage | None, at: datetime
) -> WebhookMessage | None:
    """Return the message to write about a notification, or None; see `outgoing.to_queue`."""
    new = WebhookMessage(
        id=message_id(webhook.id, notification.id),
        version=1,
        webhook_id=webhook.id,
        patron_id=notification.patron_id,
        notification_id=notification.id,
        kind=notification.kind,
        at=notification.at,
        queued_at=at,
        next_at=at,
    )
    return to_queue(new, known)


def trial_message(webhook: Webhook, new_id: str, now: datetime, at: datetime) -> WebhookMessage:
    """Return a message that a person asked for, to see whether it arrives."""
    return WebhookMessage(
        id=new_id,
        version=1,
        webhook_id=webhook.id,
        patron_id="",
        notification_id="",
        kind=TEST_KIND,
        at=now,
        queued_at=at,
        next_at=at,
    )


def unsent(
    message: WebhookMessage, reason: Reason, at: datetime, status: int | None = None
) -> WebhookMessage:
    """Return the message after a failure, to be tried after a pause.

    A test is tried once. A receiver that is gone is not tried again.
    """
    if message.is_test or status == GONE:
        return ended(message, at, "failed", reason, status)
    return postponed(message, reason, at, status)


def succeeded(webhook: Webhook, at: datetime) -> Webhook:
    """Return the webhook after a message was accepted; itself if one was just before.

    So messages that are sent at the same moment do not all write one document.
    """
    last = webhook.last_success_at
    if webhook.failing_since is None and last is not None and at - last < NOTED_EVERY:
        return webhook
    return replace(webhook, version=webhook.version + 1, last_success_at=at, failing_since=None)


def failed(webhook: Webhook, reason: Reason, at: datetime, status: int | None) -> Webhook:
    """Return the webhook after a failure; disabled if it is gone, or has failed for days."""
    since = webhook.failing_since or at
    state = webhook.state
    if state == "enabled" and status == GONE:
        state = "gone"
    elif state == "enabled" and at - since >= DEAD_AFTER:
        state = "failing"
    return replace(
        webhook,
        version=webhook.version + 1,
        state=state,
        last_failure_at=at,
        last_failure=reason,
        last_status=status,
        failing_since=since,
    )
