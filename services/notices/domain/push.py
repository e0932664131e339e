"""Web push: devices of patrons that show notifications, and the messages that wait for them.

Its times are of the wall clock, because push services know no other.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal
from urllib.parse import urlsplit
from uuid import UUID, uuid5

from services.notices.domain.notification import Notification

MessageState = Literal["waiting", "sent", "dropped", "failed"]
Reason = Literal["withdrawn", "outdated", "not-allowed", "away", "refused", "gone", "too-late"]

MOST_DEVICES = 10
LASTS = timedelta(days=1)
"""Time after which a message is given up."""
FIRST_PAUSE = timedelta(minutes=1)
"""Pause before the second try; twice as long before each further one."""
LONGEST_PAUSE = timedelta(hours=1)
ENDED = frozenset({404, 410})
"""Answers of a push service that mean that a subscription has ended."""

_NAMESPACE = UUID("3a7e2b94-0d6c-5f18-b1c3-94e05d7a8f60")


@dataclass(frozen=True)
class PushSubscription:
    """A device of a patron, as its browser and the browser's push service describe it."""

    id: str
    """Follows from the address: a browser that another patron uses changes hands."""
    version: int
    patron_id: str
    slot: str
    """The patron's id with a number from 1 to MOST_DEVICES that no other device of theirs has."""
    endpoint: str
    """Address at the push service."""
    public_key: str
    """Key that messages are encrypted for (`p256dh`), in URL-safe base64."""
    auth: str
    """Secret that messages are encrypted with, in URL-safe base64."""
    name: str
    """The browser's description of itself, so that the patron recognizes the device."""
    created_at: datetime


@dataclass(frozen=True)
class PushMessage:
    """A message to one device about one notification, and what became of it."""

    id: str
    version: int
    subscription_id: str
    service: str
    """Host of the push service."""
    patron_id: str
    notification_id: str
    queued_at: datetime
    next_at: datetime
    """Time of the next try; during a try, the time after which another process may repeat it."""
    state: MessageState = "waiting"
    reason: Reason | None = None
    status: int | None = None
    """HTTP status of the last answer."""
    tries: int = 0
    ended_at: datetime | None = None

    @property
    def service_failed(self) -> bool:
        """True if the last try failed because of the push service."""
        return self.reason in ("not-allowed", "away", "refused")


def subscription_id(endpoint: str) -> str:
    """Return the id of the subscription with an address."""
    return str(uuid5(_NAMESPACE, endpoint))


def free_slot(patron_id: str, taken: Collection[str]) -> str | None:
    """Return the first free slot of a patron; None if they have as many devices as one may have."""
    slots = (f"{patron_id}:{number}" for number in range(1, MOST_DEVICES + 1))
    return next((slot for slot in slots if slot not in taken), None)


def message_id(subscription: str, notification_id: str) -> str:
    """Return the id of the message about a notification, the same at every replica."""
    return str(uuid5(_NAMESPACE, f"{subscription}:{notification_id}"))


def message_to_queue(
    device: PushSubscription, told: Notification, known: PushMessage | None, at: datetime
) -> PushMessage | None:
    """Return the message to write about a notification; None if there is one already.

    One that was dropped because the notification was withdrawn waits again.
    """
    new = PushMessage(
        id=message_id(device.id, told.id),
        version=1,
        subscription_id=device.id,
        service=urlsplit(device.endpoint).hostname or "",
        patron_id=told.patron_id,
        notification_id=told.id,
        queued_at=at,
        next_at=at,
    )
    if known is None:
        return new
    return replace(new, version=known.version + 1) if known.reason == "withdrawn" else None


def sent(message: PushMessage, at: datetime, status: int) -> PushMessage:
    """Return the message as accepted by the push service."""
    return _ended(message, at, "sent", None, status)


def dropped(
    message: PushMessage, reason: Reason, at: datetime, status: int | None = None
) -> PushMessage:
    """Return the message as dropped, because there is no reason left to send it."""
    return _ended(message, at, "dropped", reason, status)


def given_up(message: PushMessage, at: datetime) -> PushMessage:
    """Return the message as given up after a day."""
    return _ended(message, at, "failed", "too-late", message.status)


def unsent(
    message: PushMessage, reason: Reason, at: datetime, status: int | None = None
) -> PushMessage:
    """Return the message after a failure, to be tried after a pause."""
    pause = min(FIRST_PAUSE * 2 ** min(max(message.tries - 1, 0), 10), LONGEST_PAUSE)
    return replace(
        message, version=message.version + 1, next_at=at + pause, reason=reason, status=status
    )


def is_too_late(message: PushMessage, at: datetime) -> bool:
    """Return whether the message has waited for a day."""
    return at - message.queued_at >= LASTS


def _ended(
    message: PushMessage,
    at: datetime,
    state: MessageState,
    reason: Reason | None,
    status: int | None,
) -> PushMessage:
    return replace(
        message,
        version=message.version + 1,
        state=state,
        reason=reason,
        status=status,
        ended_at=at,
    )
