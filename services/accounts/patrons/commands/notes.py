"""Notes of the staff about a patron."""

from services.accounts.cardholders import store as cardholders_store
from services.accounts.patrons import store
from services.accounts.patrons.refusals import NoSuchNote
from services.accounts.patrons.rules import StaffNote
from shared.ids import new_id
from shared.unit_of_work import Work


def add_note(work: Work, patron_id: str, text: str, by: str) -> StaffNote:
    """Add a note by `by`, of the staff. Raises NoSuchPatron.

    The patron's record is written too, which an erasure deletes: of the two at once one is retried,
    so no note outlives its patron.
    """
    _, holder = cardholders_store.patron_and_holder(work, patron_id)
    cardholders_store.save_cardholders(work, holder)
    note = StaffNote(new_id(), patron_id, text, by, work.now)
    store.add_note(work, note)
    work.concern(note.id)
    return note


def delete_note(work: Work, patron_id: str, note_id: str) -> None:
    """Delete a note. Raises NoSuchNote."""
    if not store.delete_note(work, patron_id, note_id):
        raise NoSuchNote
