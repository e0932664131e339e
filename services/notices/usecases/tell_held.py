"""Tell a patron of a notification that was held back, or end it because it became untrue."""

from dataclasses import dataclass

from services.notices import store
from services.notices.domain.delivery import Delivery, dropped, sent
from services.notices.domain.notification import Facts, notification
from services.notices.usecases.notify_patron import deliver
from services.notices.usecases.queue_messages import queue_messages
from shared.clock import wall_clock
from shared.unit_of_work import Work


@dataclass(frozen=True)
class TellHeld:
    """A held notification with its facts at this moment; None if they are no longer true."""

    held: Delivery
    about: Facts | None


def tell_held(work: Work, command: TellHeld) -> None:
    """Put the notification into the inbox once, at the time of telling, or drop it.

    Nothing changes if another process has done so since, or the patron is erased.
    """
    held = command.held
    if not store.deliveries.is_at_version(work, held.id, held.version):
        return
    patron = store.patrons.get(work, held.patron_id)
    store.patrons.hold(work, patron, held.patron_id)
    if command.about is None:
        store.deliveries.save(work, dropped(held, "outdated", wall_clock()))
        return
    store.deliveries.save(work, sent(held, wall_clock()))
    new = notification(held.event_id, held.patron_id, held.kind, work.now, command.about)
    deliver(work, new, patron)
    queue_messages(work, [new])
