"""Put notifications into inboxes, and queue them for the other channels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from services.notices.channels.rules import devices as devices_rules
from services.notices.channels.rules import webhooks as webhooks_rules
from services.notices.channels.rules.deliveries import (
    HeldNotification,
    Letter,
    delivery_to_queue,
    dropped,
    held_back,
    sent,
    wants_email,
)
from services.notices.channels.rules.letters import letter_of
from services.notices.channels.store import deliveries as deliveries_store
from services.notices.channels.store import devices as devices_store
from services.notices.channels.store import webhooks as webhooks_store
from services.notices.kinds.kind import kind_of
from services.notices.messages.events import notification_snapshot
from services.notices.messages.refusals import NoSuchNotification
from services.notices.patrons import store as patrons_store
from services.notices.patrons.rules import (
    Broadcast,
    Facts,
    Notification,
    Patron,
    joined,
    notification,
    notification_id,
    notification_of,
    read,
    withdrawn,
)
from shared.clock import wall_clock
from shared.contracts.notices import NotificationDelivered, NotificationRead
from shared.unit_of_work import Work


def notify_patron(
    work: Work,
    *,
    event_id: str,
    patron_id: str,
    kind: str,
    at: datetime,
    about: Facts,
    held_until: datetime | None = None,
    urgent: bool = False,
) -> None:
    """Put one notification into the inbox, once, unless the patron is erased.

    With `held_until` it is only held back; the job `tell-held` puts it there. An `urgent` one is
    sent by e-mail at once, whatever the patron has chosen.
    """
    patron = patrons_store.get(work, patron_id)
    if patron is not None and patron.erased:
        return
    new = notification(event_id, patron_id, kind, at, about)
    if patrons_store.get_notification(work, new.id):
        return
    if held_until is not None:
        later = held_back(new, held_until, wall_clock())
        if not deliveries_store.exists(work, later.id):
            patrons_store.hold(work, patron, patron_id)
            deliveries_store.save(work, later)
        return
    patrons_store.hold(work, patron, patron_id)
    deliver(work, new, patron, urgent=urgent)
    queue_messages(work, [new])


def deliver(
    work: Work, delivered: Notification, patron: Patron | None, *, urgent: bool = False
) -> None:
    """Store a notification and publish that it was delivered or, if withdrawn, that it is read.

    It is queued for e-mail in the same transaction, if the patron has chosen that or it is urgent.
    The caller queues the messages to devices and webhooks and the letters, all that it delivers
    together (`queue_messages`).
    """
    patrons_store.save_notification(work, delivered)
    if (urgent or wants_email(patron)) and not delivered.withdrawn:
        queue_email(work, delivered, urgent=urgent)
    work.record(
        notification_snapshot(
            NotificationRead if delivered.withdrawn else NotificationDelivered, delivered
        )
    )


def queue_email(work: Work, delivered: Notification, *, urgent: bool = False) -> None:
    """Queue a notification for e-mail, unless it waits already or was sent with these facts."""
    known = deliveries_store.of_notification(work, delivered.id)
    queued = delivery_to_queue(delivered, known, wall_clock(), urgent=urgent)
    if queued is not None:
        deliveries_store.save(work, queued)


def queue_messages(work: Work, changed: Sequence[Notification]) -> None:
    """Queue what was stored in this transaction, however many; repeating changes nothing.

    That is for devices, webhooks and, where neither a device nor e-mail reaches the patron, the
    post. Withdrawn ones are left out.
    """
    notifications = [one for one in changed if not one.withdrawn]
    if notifications:
        reached = _queue_for_devices(work, notifications)
        _queue_for_webhooks(work, notifications)
        _queue_letters(work, [one for one in notifications if one.patron_id not in reached])


def _queue_letters(work: Work, notifications: Sequence[Notification]) -> None:
    """Queue letters to patrons whom nothing else reaches, of the kinds that are sent by post."""
    due = [one for one in notifications if kind_of(one.kind).by_post]
    patrons = patrons_store.some(work, [one.patron_id for one in due]) if due else {}
    for one in due:
        patron = patrons.get(one.patron_id)
        if patron is None or not patron.by_post or wants_email(patron):
            continue
        letter = letter_of(one, patron.home_branch, wall_clock())
        if not deliveries_store.exists(work, letter.id):
            deliveries_store.save(work, letter)


def send_by_email(work: Work, letter: Letter) -> None:
    """Queue an e-mail in place of a letter that was not printed."""
    deliveries_store.save(work, dropped(letter, "by-email", wall_clock()))
    found = patrons_store.get_notification(work, letter.notification_id)
    if found is not None and not found.withdrawn:
        queue_email(work, found)


def _queue_for_devices(work: Work, notifications: Sequence[Notification]) -> set[str]:
    """Queue messages to the devices of patrons; return the patrons who have one."""
    devices = devices_store.of_patrons(work, sorted({one.patron_id for one in notifications}))
    wanted = [
        (device, one)
        for device in devices
        for one in notifications
        if one.patron_id == device.patron_id
    ]
    reached = {device.patron_id for device in devices}
    if not wanted:
        return reached
    ids = [devices_rules.message_id(device.id, one.id) for device, one in wanted]
    known = devices_store.some_messages(work, ids)
    at = wall_clock()
    queued = [
        devices_rules.message_to_queue(device, one, known.get(message), at)
        for (device, one), message in zip(wanted, ids, strict=True)
    ]
    devices_store.save_messages(work, *(one for one in queued if one is not None))
    return reached


def _queue_for_webhooks(work: Work, notifications: Sequence[Notification]) -> None:
    webhooks = webhooks_store.wanting(work, sorted({one.kind for one in notifications}))
    wanted = [(each, one) for each in webhooks for one in notifications if one.kind in each.topics]
    if not wanted:
        return
    ids = [webhooks_rules.message_id(each.id, one.id) for each, one in wanted]
    known = webhooks_store.some_messages(work, ids)
    at = wall_clock()
    queued = [
        webhooks_rules.message_to_queue(each, one, known.get(message), at)
        for (each, one), message in zip(wanted, ids, strict=True)
    ]
    webhooks_store.save_messages(work, *(one for one in queued if one is not None))


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
    if patrons_store.get_broadcast(work, broadcast.id) is None:
        patrons_store.save_broadcast(work, broadcast)


def notify_page(work: Work, command: NotifyPage) -> None:
    """Notify those patrons of the page that the event concerns, and store the progress.

    A page that was notified before, by this replica or another, changes nothing.
    """
    broadcast = patrons_store.get_broadcast(work, command.broadcast_id)
    if broadcast is None or broadcast.done or broadcast.after != command.after:
        return
    known = patrons_store.some(work, command.patron_ids)
    existing = patrons_store.some_notifications(
        work, [notification_id(broadcast.message, patron_id) for patron_id in command.patron_ids]
    )
    first_notified = _not_notified_before(work, broadcast, command.patron_ids)
    changes = []
    for patron_id in dict.fromkeys(command.patron_ids):
        patron = known.get(patron_id)
        change = settled(
            for_first_time(broadcast) if patron_id in first_notified else broadcast,
            patron or Patron(patron_id),
            existing.get(notification_id(broadcast.message, patron_id)),
            command.branches.get(patron_id),
        )
        if change is not None:
            patrons_store.hold(work, patron, patron_id)
            deliver(work, change, patron)
            changes.append(change)
    queue_messages(work, changes)
    patrons_store.save_broadcast(
        work,
        replace(
            broadcast,
            version=broadcast.version + 1,
            after=broadcast.after if command.next is None else command.next,
            done=command.next is None,
        ),
    )


def _not_notified_before(work: Work, broadcast: Broadcast, patron_ids: Sequence[str]) -> set[str]:
    """Return the patrons to whom this replaces no announcement, as they got none of it."""
    about = broadcast.about
    suspension_id, version = about.get("suspension_id"), about.get("version")
    if suspension_id is None or version is None or not _replaces(about):
        return set()
    return set(patron_ids) - patrons_store.notified_before(work, patron_ids, suspension_id, version)


def _replaces(about: Facts) -> bool:
    """Return whether an announcement says that an earlier one of its suspension no longer holds."""
    starts_on, resumes_on = about.get("starts_on"), about.get("resumes_on")
    is_withdrawn = bool(starts_on and resumes_on and resumes_on <= starts_on)
    changes = about.get("previous_starts_on") or about.get("previous_resumes_on")
    return is_withdrawn or bool(changes)


def for_first_time(broadcast: Broadcast) -> Broadcast:
    """Return the broadcast as it is for patrons who got no earlier one of its suspension."""
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


def deliver_held(work: Work, held: HeldNotification, about: Facts | None) -> None:
    """Put a held notification into the inbox once, with its facts of now; None: drop it.

    Nothing changes if another process has done so since, or the patron is erased.
    """
    if not deliveries_store.is_at_version(work, held.id, held.version):
        return
    patron = patrons_store.get(work, held.patron_id)
    patrons_store.hold(work, patron, held.patron_id)
    at = wall_clock()
    ended = dropped(held, "outdated", at) if about is None else sent(held, at)
    deliveries_store.save(work, replace(ended, about=None))
    if about is not None:
        new = notification(held.event_id, held.patron_id, held.kind, work.now, about)
        deliver(work, new, patron)
        queue_messages(work, [new])


def read_notification(work: Work, notification_id: str, patron_id: str) -> Notification:
    """Mark the notification as read and return it. Raises NoSuchNotification.

    Repeating it changes nothing.
    """
    found = patrons_store.get_notification(work, notification_id)
    if found is None or found.patron_id != patron_id or found.withdrawn:
        raise NoSuchNotification
    now_read = read(found)
    if now_read is not found:
        patrons_store.save_notification(work, now_read)
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
