"""Record a patron's choice about their reading history."""

from services.circulation import store
from services.circulation.domain.history import Reader
from shared.contracts.accounts import PreferencesChanged
from shared.unit_of_work import Work


def note_reader(work: Work, event: PreferencesChanged) -> None:
    """Save the choice, unless a newer one is known.

    Deletes the history of a patron who wants none.
    """
    reader = Reader(event.patron_id, event.keep_history, event.version)
    if store.history.note(work, reader) and not reader.keeps_history:
        store.history.purge(work, reader.id)
