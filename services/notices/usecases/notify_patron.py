"""Notify one patron of an event that concerns them alone."""

from dataclasses import dataclass
from datetime import datetime

from services.notices import store
from services.notices.domain.delivery import delivery_to_queue, held_back, wants_email
from services.notices.domain.notification import Facts, Notification, notification
from services.notices.domain.patron import Patron
from services.notices.usecases.queue_messages import queue_messages
from shared.clock import wall_clock
from shared.contracts.notices import (
    NotificationDelivered,
    NotificationRead,
    NotificationSnapshot,
)
from shared.unit_of_work import Work


@dataclass(frozen=True)
class NotifyPatron:
    """An event about one patron, and its facts."""

    event_id: str
    patron_id: str
    kind: str
    at: datetime
    about: Facts
    tell_at: datetime | None = None
    """Time before which the patron is not told; None to tell them now."""
    urgent: bool = False
    """True if it is sent by e-mail at once, whatever the patron has chosen."""


def notify_patron(work: Work, command: NotifyPatron) -> None:
    """Put one notification into the inbox, once, unless the patron is erased.

    With `tell_at` it is only held back; the job `tell-held` puts it there.
    """
    patron = store.patrons.get(work, command.patron_id)
    if patron is not None and patron.erased:
        return
    new = notification(command.event_id, command.patron_id, command.kind, command.at, command.about)
    if store.notifications.get(work, new.id):
        return
    if command.tell_at is not None:
        later = held_back(new, command.tell_at, wall_clock())
        if store.deliveries.get(work, later.id) is None:
            store.patrons.hold(work, patron, command.patron_id)
            store.deliveries.save(work, later)
        return
    store.patrons.hold(work, patron, command.patron_id)
    deliver(work, new, patron, urgent=command.urgent)
    queue_messages(work, [new])


def deliver(
    work: Work, delivered: Notification, patron: Patron | None, *, urgent: bool = False
) -> None:
    """Store a notification and publish that it was delivered or, if withdrawn, that it is read.

    It is queued for e-mail in the same transaction, if the patron has chosen that or it is urgent.
    The caller queues the messages to devices and webhooks, all that it delivers together
    (`queue_messages`).
    """
    store.notifications.save(work, delivered)
    if (urgent or wants_email(patron)) and not delivered.withdrawn:
        queue_email(work, delivered, urgent=urgent)
    work.record(
        snapshot(NotificationRead if delivered.withdrawn else NotificationDelivered, delivered)
    )


def queue_email(work: Work, delivered: Notification, *, urgent: bool = False) -> None:
    """Queue a notification for e-mail, unless it waits already or was sent with these facts."""
    known = store.deliveries.of_notification(work, delivered.id)
    queued = delivery_to_queue(delivered, known, wall_clock(), urgent=urgent)
    if queued is not None:
        store.deliveries.save(work, queued)


def snapshot(kind: type[NotificationSnapshot], delivered: Notification) -> NotificationSnapshot:
    """Return an event with the state of a notification."""
    return kind(
        version=delivered.version,
        notification_id=delivered.id,
        patron_id=delivered.patron_id,
        kind=delivered.kind,
        read=not delivered.unread,
    )
