"""Notify a patron of events that happened before their preferences arrived here."""

from dataclasses import dataclass

from services.notices import store
from services.notices.domain.notification import notification_id
from services.notices.domain.patron import in_force_between
from services.notices.usecases.notify_page import settled
from services.notices.usecases.notify_patron import deliver
from services.notices.usecases.queue_messages import queue_messages
from shared.unit_of_work import Work


@dataclass(frozen=True)
class ApplyPreferences:
    """A version of a patron's preferences that has just been stored."""

    patron_id: str
    version: int


def apply_preferences(work: Work, command: ApplyPreferences) -> None:
    """Change the inbox to what it would be if these preferences had arrived in time.

    Usually they did, and there is nothing to do. Otherwise the patron is notified of what they
    followed then, and notifications of what they no longer followed are withdrawn.
    """
    patron = store.patrons.get(work, command.patron_id)
    if patron is None or patron.erased:
        return
    span = in_force_between(patron, command.version)
    if span is None:
        return
    broadcasts = store.notifications.broadcasts_between(
        work,
        *span,
        branches={code for p in patron.preferences for code in p.branches},
        activity_types={kind for p in patron.preferences for kind in p.activity_types},
    )
    ids = [notification_id(broadcast.message, patron.id) for broadcast in broadcasts]
    told = store.notifications.some(work, ids)
    changes = [
        change
        for broadcast in broadcasts
        if (
            change := settled(
                broadcast, patron, told.get(notification_id(broadcast.message, patron.id))
            )
        )
    ]
    if changes:
        store.patrons.hold(work, patron, patron.id)
    for change in changes:
        deliver(work, change, patron)
    queue_messages(work, changes)
