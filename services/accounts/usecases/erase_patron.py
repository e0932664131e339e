"""Erase a patron."""

from dataclasses import dataclass

from services.accounts import store
from services.accounts.domain.patron import Patron, erase
from services.accounts.domain.refusals import NoSuchPatron
from services.accounts.usecases.patron_events import record_patron_event
from shared.contracts.accounts import PatronErased
from shared.unit_of_work import Work


@dataclass(frozen=True)
class ErasePatron:
    """A patron to erase."""

    patron_id: str


async def erase_patron(work: Work, command: ErasePatron) -> Patron:
    """Erase the patron and return the tombstone, which has no card. Raises NoSuchPatron."""
    patron = await store.patron(work, command.patron_id)
    if patron is None:
        raise NoSuchPatron
    erased = erase(patron)
    await store.save_patrons(work, erased)
    await store.delete_personal_data(work, patron)
    record_patron_event(work, PatronErased, erased)
    return erased
