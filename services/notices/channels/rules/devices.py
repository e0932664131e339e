"""Web push: devices of patrons that show notifications, and the messages that wait for them.

Its times are of the wall clock, because push services know no other.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from urllib.parse import urlsplit
from uuid import UUID, uuid5

from services.notices.channels.rules.outgoing import OutgoingMessage, to_queue
from services.notices.patrons.rules import Notification

Reason = Literal["withdrawn", "outdated", "not-allowed", "away", "refused", "gone", "too-late"]
MOST_DEVICES = 10
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

    @property
    def personal_of(self) -> str:
        """The patron, whose erasure ends the stored responses with this."""
        return self.patron_id


@dataclass(frozen=True, kw_only=True)
class PushMessage(OutgoingMessage):
    """A message to one device about one notification, and what became of it."""

    subscription_id: str
    service: str
    """Host of the push service."""
    reason: Reason | None = None

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
    device: PushSubscription, notification: Notification, known: PushMessage | None, at: datetime
) -> PushMessage | None:
    """Return the message to write about a notification, or None; see `outgoing.to_queue`."""
    new = PushMessage(
        id=message_id(device.id, notification.id),
        version=1,
        subscription_id=device.id,
        service=urlsplit(device.endpoint).hostname or "",
        patron_id=notification.patron_id,
        notification_id=notification.id,
        queued_at=at,
        next_at=at,
    )
    return to_queue(new, known)
