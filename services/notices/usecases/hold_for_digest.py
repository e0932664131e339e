"""Hold a delivery for the digest of its patron, and begin to send a digest."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from services.notices import store
from services.notices.domain.delivery import (
    Delivery,
    closed,
    digest_of,
    held,
    takes_parts,
    with_part,
)
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
    if not store.deliveries.is_at_version(work, delivery.id, delivery.version):
        return
    patron = store.patrons.get(work, delivery.patron_id)
    store.patrons.hold(work, patron, delivery.patron_id)
    due_at = command.due_at
    while True:
        new = digest_of(delivery.patron_id, due_at, due_at.date())
        digest = store.deliveries.get(work, new.id) or new
        if takes_parts(digest):
            break
        due_at += timedelta(days=1)
    store.deliveries.save(work, with_part(digest))
    store.deliveries.save(work, held(delivery, digest))


def close_digest(work: Work, digest: Delivery) -> Delivery | None:
    """Close a claimed digest, so that each try sends the same deliveries; return it.

    None if another process has claimed it since, or the patron is erased.
    """
    if not store.deliveries.is_at_version(work, digest.id, digest.version):
        return None
    if digest.closed:
        return digest
    patron = store.patrons.get(work, digest.patron_id)
    store.patrons.hold(work, patron, digest.patron_id)
    now_closed = closed(digest)
    store.deliveries.save(work, now_closed)
    return now_closed
