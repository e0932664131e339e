"""Notify many patrons of one event, page by page, each page in a transaction of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from services.notices import store
from services.notices.domain.notification import (
    Broadcast,
    Facts,
    Notification,
    joined,
    notification_id,
    notification_of,
    withdrawn,
)
from services.notices.domain.patron import Patron
from services.notices.usecases.notify_patron import deliver
from services.notices.usecases.queue_messages import queue_messages
from shared.unit_of_work import Work


@dataclass(frozen=True)
class NotifyPage:
    """The next page of an event's patrons."""

    broadcast_id: str
    after: str
    """Start of the page, which must be the end of the pages notified so far."""
    patron_ids: tuple[str, ...]
    next: str | None
    """Start of the next page; None if this is the last one."""
    branches: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Branches whose loans it concerns, by patron; empty if it does not concern loans."""


def begin_notifying(work: Work, broadcast: Broadcast) -> None:
    """Store the event before anyone is notified of it.

    Preferences saved from now on find the event; patrons who saved theirs before are found by it.
    """
    if store.notifications.get_broadcast(work, broadcast.id) is None:
        store.notifications.save_broadcast(work, broadcast)


def notify_page(work: Work, command: NotifyPage) -> None:
    """Notify those patrons of the page that the event concerns, and store the progress.

    A page that was notified before, by this replica or another, changes nothing.
    """
    broadcast = store.notifications.get_broadcast(work, command.broadcast_id)
    if broadcast is None or broadcast.done or broadcast.after != command.after:
        return
    known = store.patrons.some(work, command.patron_ids)
    existing = store.notifications.some(
        work, [notification_id(broadcast.message, patron_id) for patron_id in command.patron_ids]
    )
    untold = _never_told(work, broadcast, command.patron_ids)
    changes = []
    for patron_id in dict.fromkeys(command.patron_ids):
        patron = known.get(patron_id)
        change = settled(
            for_first_time(broadcast) if patron_id in untold else broadcast,
            patron or Patron(patron_id),
            existing.get(notification_id(broadcast.message, patron_id)),
            command.branches.get(patron_id),
        )
        if change is not None:
            store.patrons.hold(work, patron, patron_id)
            deliver(work, change, patron)
            changes.append(change)
    queue_messages(work, changes)
    store.notifications.save_broadcast(
        work,
        replace(
            broadcast,
            version=broadcast.version + 1,
            after=broadcast.after if command.next is None else command.next,
            done=command.next is None,
        ),
    )


def _never_told(work: Work, broadcast: Broadcast, patron_ids: Sequence[str]) -> set[str]:
    """Return the patrons to whom this replaces no announcement, as they were told of none."""
    about = broadcast.about
    suspension_id, version = about.get("suspension_id"), about.get("version")
    if suspension_id is None or version is None or not _replaces(about):
        return set()
    told = store.notifications.told_before(work, patron_ids, suspension_id, version)
    return set(patron_ids) - told


def _replaces(about: Facts) -> bool:
    """Return whether an announcement says that an earlier one of its suspension no longer holds."""
    starts_on, resumes_on = about.get("starts_on"), about.get("resumes_on")
    is_withdrawn = bool(starts_on and resumes_on and resumes_on <= starts_on)
    changes = about.get("previous_starts_on") or about.get("previous_resumes_on")
    return is_withdrawn or bool(changes)


def for_first_time(broadcast: Broadcast) -> Broadcast:
    """Return the broadcast as it is for patrons whom no earlier one has told of its suspension."""
    return replace(broadcast, about={**broadcast.about, "first_told": True})


def settled(
    broadcast: Broadcast,
    patron: Patron,
    existing: Notification | None,
    branches: tuple[str, ...] | None = None,
) -> Notification | None:
    """Return the notification to write so that the patron has it only if `broadcast` concerns them.

    None if nothing has to be written.
    """
    concerned = broadcast.concerns(patron)
    about = broadcast.about if branches is None else {**broadcast.about, "branches": branches}
    if existing is None:
        return notification_of(broadcast, patron.id, about) if concerned else None
    if existing.withdrawn == concerned:
        return withdrawn(existing, not concerned)
    if broadcast.is_joined and concerned:
        with_this = joined(existing, about, broadcast.id)
        return None if with_this is existing else with_this
    return None
