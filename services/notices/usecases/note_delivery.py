"""Record what became of one try to deliver an e-mail."""

from dataclasses import dataclass

from services.notices import store
from services.notices.domain.delivery import Delivery, announced
from services.notices.usecases.notify_patron import queue_email
from shared.unit_of_work import Work


@dataclass(frozen=True)
class NoteDelivery:
    """A delivery after a try: the next version of the one that was claimed."""

    delivery: Delivery


async def note_delivery(work: Work, command: NoteDelivery) -> None:
    """Save the delivery, unless another process has repeated the try, or its reader is erased.

    If the notification gained facts during the try, it is queued again with all of them.
    """
    delivery = command.delivery
    if not await store.deliveries.is_at_version(work, delivery.id, delivery.version - 1):
        return
    if delivery.patron_id is None or delivery.notification_id is None:
        await store.deliveries.save(work, delivery)
        return
    patron = await store.patrons.get(work, delivery.patron_id)
    # Written, so that no facts can be added meanwhile.
    await store.patrons.hold(work, patron, delivery.patron_id)
    await store.deliveries.save(work, delivery)
    told = await store.notifications.get(work, delivery.notification_id)
    if told is not None and not told.withdrawn and announced(told) != delivery.covers:
        await queue_email(work, told)
