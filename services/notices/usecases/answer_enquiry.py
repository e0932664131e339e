"""Answer an enquiry, or ask the patron something, as a librarian."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.notices.domain import enquiry as rules
from services.notices.domain.enquiry import Enquiry, Librarian
from services.notices.usecases.publish_enquiry import (
    add_message,
    attach,
    existing,
    publish,
    tell_guest,
)
from shared.contracts.notices import EnquiryAnswered
from shared.unit_of_work import Work


@dataclass(frozen=True)
class AnswerEnquiry:
    """A librarian's answer, or with `asks` a question to the patron."""

    enquiry_id: str
    librarian: Librarian
    text: str
    seen: int
    """Version of the enquiry that the librarian has read."""
    asks: bool
    attachments: Sequence[str] = ()
    """Ids of files that the librarian has uploaded."""


def answer_enquiry(work: Work, command: AnswerEnquiry) -> Enquiry:
    """Add the answer.

    Raises NoSuchEnquiry, EnquiryChanged, EnquiryIsClosed, EnquiryFull, NoSuchAttachment or
    TooManyAttachments.
    """
    enquiry = rules.answered(
        existing(work, command.enquiry_id),
        command.librarian,
        work.now,
        seen=command.seen,
        asks=command.asks,
    )
    enquiry, files = attach(work, enquiry, command.librarian.id, command.attachments)
    publish(work, enquiry, EnquiryAnswered)
    tell_guest(work, enquiry, EnquiryAnswered)
    add_message(work, enquiry, command.text, command.librarian, files)
    return enquiry
