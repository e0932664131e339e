"""Record what became of e-mails, and collect them in digests."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from services.notices.channels.rules.deliveries import (
    Delivery,
    Digest,
    NotificationEmail,
    PatronDelivery,
    announced,
    closed,
    delivery_of_code,
    digest_of,
    ended_as,
    held,
    takes_parts,
    with_part,
)
from services.notices.channels.store import deliveries as deliveries_store
from services.notices.messages.commands.notifying import queue_email
from services.notices.patrons import store as patrons_store
from shared.clock import wall_clock
from shared.contracts.accounts import PatronApplied, PinIssued
from shared.unit_of_work import Work


def hold_for_digest(work: Work, delivery: NotificationEmail, due_at: datetime) -> None:
    """Let the first digest that still takes deliveries send this one.

    Nothing changes if another process has claimed the delivery since, or the patron is erased.
    """
    if not deliveries_store.is_at_version(work, delivery.id, delivery.version):
        return
    patron = patrons_store.get(work, delivery.patron_id)
    patrons_store.hold(work, patron, delivery.patron_id)
    while True:
        new = digest_of(delivery.patron_id, due_at, due_at.date())
        digest = deliveries_store.get_digest(work, new.id) or new
        if takes_parts(digest):
            break
        due_at += timedelta(days=1)
    deliveries_store.save(work, with_part(digest))
    deliveries_store.save(work, held(delivery, digest))


def close_digest(work: Work, digest: Digest) -> Digest | None:
    """Close a claimed digest, so that each try sends the same deliveries; return it.

    None if another process has claimed it since, or the patron is erased.
    """
    if not deliveries_store.is_at_version(work, digest.id, digest.version):
        return None
    if digest.closed:
        return digest
    patron = patrons_store.get(work, digest.patron_id)
    patrons_store.hold(work, patron, digest.patron_id)
    now_closed = closed(digest)
    deliveries_store.save(work, now_closed)
    return now_closed


@dataclass(frozen=True)
class NoteDelivery:
    """A delivery after a try: the next version of the one that was claimed."""

    delivery: Delivery
    parts: tuple[NotificationEmail, ...] = ()
    """The deliveries of a digest that have an end of their own, or were sent with it."""


def note_delivery(work: Work, command: NoteDelivery) -> None:
    """Save the delivery, unless another process has repeated the try, or its reader is erased.

    The end of a digest is the end of all its parts. If a notification gained facts during the try,
    it is queued again with all of them.
    """
    delivery = command.delivery
    if not deliveries_store.is_at_version(work, delivery.id, delivery.version - 1):
        return
    if not isinstance(delivery, PatronDelivery):
        deliveries_store.save(work, delivery)
        return
    patron = patrons_store.get(work, delivery.patron_id)
    # Written, so that no facts can be added meanwhile.
    patrons_store.hold(work, patron, delivery.patron_id)
    deliveries_store.save(work, delivery)
    if isinstance(delivery, NotificationEmail):
        _queue_again(work, delivery)
    elif isinstance(delivery, Digest) and delivery.state != "waiting":
        ended = {part.id: part for part in command.parts}
        for waiting in deliveries_store.held_for(work, delivery.id):
            part = ended.get(waiting.id) or ended_as(waiting, delivery)
            deliveries_store.save(work, part)
            _queue_again(work, part)


def _queue_again(work: Work, delivery: NotificationEmail) -> None:
    found = patrons_store.get_notification(work, delivery.notification_id)
    if found is not None and not found.withdrawn and announced(found) != delivery.covers:
        queue_email(work, found)


def send_code(work: Work, event: PinIssued | PatronApplied) -> None:
    """Queue the e-mail, once for each code."""
    delivery = delivery_of_code(event.topic, event.subject, wall_clock())
    if not deliveries_store.exists(work, delivery.id):
        deliveries_store.save(work, delivery)
