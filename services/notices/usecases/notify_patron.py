"""Notify one patron of an event that concerns them alone."""

from dataclasses import dataclass
from datetime import datetime

from services.notices import store
from services.notices.domain.delivery import delivery_to_queue, wants_email
from services.notices.domain.notification import Facts, Notification, notification
from services.notices.domain.patron import Patron
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


async def notify_patron(work: Work, command: NotifyPatron) -> None:
    """Put one notification into the inbox, once, unless the patron is erased."""
    patron = await store.patrons.get(work, command.patron_id)
    if patron is not None and patron.erased:
        return
    told = notification(
        command.event_id, command.patron_id, command.kind, command.at, command.about
    )
    if await store.notifications.get(work, told.id):
        return
    await store.patrons.hold(work, patron, command.patron_id)
    await deliver(work, told, patron)


async def deliver(work: Work, told: Notification, patron: Patron | None) -> None:
    """Store a notification and publish that it was delivered or, if withdrawn, that it is read.

    It is queued for e-mail in the same transaction, if the patron has chosen that.
    """
    await store.notifications.save(work, told)
    if wants_email(patron) and not told.withdrawn:
        await queue_email(work, told)
    work.record(snapshot(NotificationRead if told.withdrawn else NotificationDelivered, told))


async def queue_email(work: Work, told: Notification) -> None:
    """Queue a notification for e-mail, unless it waits already or was sent with these facts."""
    known = await store.deliveries.of_notification(work, told.id)
    queued = delivery_to_queue(told, known, wall_clock())
    if queued is not None:
        await store.deliveries.save(work, queued)


def snapshot(kind: type[NotificationSnapshot], told: Notification) -> NotificationSnapshot:
    """Return an event with the state of a notification."""
    return kind(
        version=told.version,
        notification_id=told.id,
        patron_id=told.patron_id,
        kind=told.kind,
        read=not told.unread,
    )
