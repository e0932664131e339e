"""Mark a notification as read."""

from dataclasses import dataclass

from services.notices import store
from services.notices.domain.notification import Notification, read
from services.notices.domain.refusals import NoSuchNotification
from shared.contracts.notices import NotificationRead
from shared.unit_of_work import Work


@dataclass(frozen=True)
class ReadNotification:
    """A notification in the inbox of the patron who reads it."""

    notification_id: str
    patron_id: str


def read_notification(work: Work, command: ReadNotification) -> Notification:
    """Mark the notification as read and return it. Raises NoSuchNotification.

    Repeating it changes nothing.
    """
    found = store.notifications.get(work, command.notification_id)
    if found is None or found.patron_id != command.patron_id or found.withdrawn:
        raise NoSuchNotification
    now_read = read(found)
    if now_read is not found:
        store.notifications.save(work, now_read)
        work.record(
            NotificationRead(
                version=now_read.version,
                notification_id=now_read.id,
                patron_id=now_read.patron_id,
                kind=now_read.kind,
                read=True,
            )
        )
    return now_read
