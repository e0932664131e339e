"""Record a patron as accounts knows them."""

from dataclasses import dataclass

from services.circulation import store
from services.circulation.domain.patron import Patron
from shared.unit_of_work import Work


@dataclass(frozen=True)
class NotePatron:
    """Command to save a patron's data from accounts; of an `erased` one it is a tombstone."""

    patron: Patron
    erased: bool


def note_patron(work: Work, command: NotePatron) -> None:
    """Save the patron, unless a newer state is known; delete the history of an erased reader."""
    store.patrons.note(work, command.patron)
    if command.erased:
        store.history.purge_reader(work, command.patron.id)
