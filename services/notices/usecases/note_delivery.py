"""Record what became of one try to deliver an e-mail, and of the parts of a digest."""

from dataclasses import dataclass

from services.notices import store
from services.notices.domain.delivery import DIGEST, Delivery, announced, ended_as
from services.notices.usecases.notify_patron import queue_email
from shared.unit_of_work import Work


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
    if not store.deliveries.is_at_version(work, delivery.id, delivery.version - 1):
        return
    if delivery.guest_id is not None or delivery.staff_code is not None:
        store.deliveries.save(work, delivery)
        return
    patron = store.patrons.get(work, delivery.patron_id)
    # Written, so that no facts can be added meanwhile.
    store.patrons.hold(work, patron, delivery.patron_id)
    store.deliveries.save(work, delivery)
    if delivery.kind != DIGEST:
        _queue_again(work, delivery)
        return
    if delivery.state == "waiting":
        return
    known = {part.id: part for part in command.parts}
    for held in store.deliveries.held_for(work, delivery.id):
        part = known.get(held.id) or ended_as(held, delivery)
        store.deliveries.save(work, part)
        _queue_again(work, part)


def _queue_again(work: Work, delivery: Delivery) -> None:
    told = store.notifications.get(work, delivery.notification_id)
    if told is not None and not told.withdrawn and announced(told) != delivery.covers:
        queue_email(work, told)
