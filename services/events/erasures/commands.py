"""Note that a patron was erased, so that their token can no longer be used to register."""

from services.events.bookings import store as bookings_store
from services.events.patrons import store as patrons_store
from shared.contracts.accounts import PatronErased
from shared.unit_of_work import Work


def note_erasure(work: Work, event: PatronErased) -> None:
    """Store a tombstone of the patron, and delete the bookings that closures ended.

    The caller then ends the patron's registrations and bookings.
    """
    patrons_store.erase_patron(work, event.patron_id)
    bookings_store.delete_closed_of(work, event.patron_id)
