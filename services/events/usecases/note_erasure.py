"""Note that a patron was erased: nobody registers with their token any more."""

from services.events import store
from shared.contracts.accounts import PatronErased
from shared.unit_of_work import Work


async def note_erasure(work: Work, event: PatronErased) -> None:
    """Keep a tombstone. What the patron had registered for is ended after it."""
    await store.erase_patron(work, event.patron_id)
