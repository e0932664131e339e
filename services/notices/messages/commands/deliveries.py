"""Record what became of e-mails, and collect them in digests."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from services.notices.channels.rules.deliveries import (
    DIGEST,
    Delivery,
    announced,
    closed,
    delivery_to_staff,
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
from shared.contracts.accounts import PinIssued
from shared.unit_of_work import Work


@dataclass(frozen=True)
class HoldForDigest:
    """A claimed delivery, and the local time of the next digest."""

    delivery: Delivery
    due_at: datetime


def hold_for_digest(work: Work, command: HoldForDigest) -> None:
    """Let the first digest that still takes deliveries send this one.

    Nothing changes if another process has claimed the delivery since, or the patron is erased.
    """
    delivery = command.delivery
    if not deliveries_store.is_at_version(work, delivery.id, delivery.version):
        return
    patron = patrons_store.get(work, delivery.patron_id)
    patrons_store.hold(work, patron, delivery.patron_id)
    due_at = command.due_at
    while True:
        new = digest_of(delivery.patron_id, due_at, due_at.date())
        digest = deliveries_store.get(work, new.id) or new
        if takes_parts(digest):
            break
        due_at += timedelta(days=1)
    deliveries_store.save(work, with_part(digest))
    deliveries_store.save(work, held(delivery, digest))


def close_digest(work: Work, digest: Delivery) -> Delivery | None:
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
    parts: tuple[Delivery, ...] = ()
    """The deliveries of a digest that have an end of their own, or were sent with it."""


def note_delivery(work: Work, command: NoteDelivery) -> None:
    """Save the delivery, unless another process has repeated the try, or its reader is erased.

    The end of a digest is the end of all its parts. If a notification gained facts during the try,
    it is queued again with all of them.
    """
    delivery = command.delivery
    if not deliveries_store.is_at_version(work, delivery.id, delivery.version - 1):
        return
    if delivery.guest_id is not None or delivery.staff_code is not None:
        deliveries_store.save(work, delivery)
        return
    patron = patrons_store.get(work, delivery.patron_id)
    # Written, so that no facts can be added meanwhile.
    patrons_store.hold(work, patron, delivery.patron_id)
    deliveries_store.save(work, delivery)
    if delivery.kind != DIGEST:
        _queue_again(work, delivery)
        return
    if delivery.state == "waiting":
        return
    known = {part.id: part for part in command.parts}
    for waiting in deliveries_store.held_for(work, delivery.id):
        part = known.get(waiting.id) or ended_as(waiting, delivery)
        deliveries_store.save(work, part)
        _queue_again(work, part)


def _queue_again(work: Work, delivery: Delivery) -> None:
    told = patrons_store.get_notification(work, delivery.notification_id)
    if told is not None and not told.withdrawn and announced(told) != delivery.covers:
        queue_email(work, told)


def send_staff_code(work: Work, event: PinIssued) -> None:
    """Queue the e-mail, once for each code."""
    delivery = delivery_to_staff(event.reset_id, wall_clock())
    if deliveries_store.get(work, delivery.id) is None:
        deliveries_store.save(work, delivery)
