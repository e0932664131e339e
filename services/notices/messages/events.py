"""Events of notifications."""

from services.notices.patrons.rules import Notification
from shared.contracts.notices import NotificationSnapshot


def notification_snapshot(
    kind: type[NotificationSnapshot], delivered: Notification
) -> NotificationSnapshot:
    """Return an event with the state of a notification."""
    return kind(
        version=delivered.version,
        notification_id=delivered.id,
        patron_id=delivered.patron_id,
        kind=delivered.kind,
        read=not delivered.unread,
    )
