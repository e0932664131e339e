"""Record a patron as accounts has published them."""

from services.circulation import store
from services.circulation.domain.patron import Patron, blocked_elsewhere
from shared.contracts.accounts import PatronSnapshot
from shared.unit_of_work import Work


async def note_patron(work: Work, event: PatronSnapshot) -> None:
    """Save the snapshot, unless a newer one is known.

    For an erased patron only a tombstone stays, and their reading history is deleted.
    """
    erased = event.status == "erased"
    await store.patrons.note(
        work,
        Patron(
            id=event.patron_id,
            category="" if erased else event.category,
            blocked=blocked_elsewhere(event.status, event.blocked_by),
            version=event.version,
            card_digest="" if erased else event.card_digest,
        ),
    )
    if erased:
        await store.history.purge_reader(work, event.patron_id)
