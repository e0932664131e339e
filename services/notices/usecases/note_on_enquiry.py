"""Write a note on an enquiry that only staff see."""

from dataclasses import dataclass

from services.notices import store
from services.notices.domain.enquiry import MOST_MESSAGES, Enquiry, Librarian, Message
from services.notices.domain.enquiry_refusals import EnquiryFull
from services.notices.domain.search import terms_of
from services.notices.usecases.publish_enquiry import existing
from shared.ids import new_id
from shared.unit_of_work import Work


@dataclass(frozen=True)
class NoteOnEnquiry:
    """A librarian's note."""

    enquiry_id: str
    librarian: Librarian
    text: str


def note_on_enquiry(work: Work, command: NoteOnEnquiry) -> Enquiry:
    """Add the note, which changes nothing else. Raises NoSuchEnquiry or EnquiryFull."""
    enquiry = existing(work, command.enquiry_id)
    if enquiry.notes >= MOST_MESSAGES:
        raise EnquiryFull
    note = Message(
        id=new_id(),
        version=1,
        enquiry_id=enquiry.id,
        at=work.now,
        text=command.text,
        author=command.librarian,
        private=True,
        number=enquiry.messages + enquiry.notes + 1,
        terms=terms_of(command.text),
    )
    store.enquiries.add_note(work, note)
    return enquiry
