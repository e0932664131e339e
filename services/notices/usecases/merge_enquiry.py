"""Merge an enquiry into another of the same patron or guest, so that both are answered in one."""

from dataclasses import dataclass

from services.notices.domain import enquiry as rules
from services.notices.domain.enquiry import Enquiry, Librarian
from services.notices.usecases.publish_enquiry import existing, publish, tell_guest
from shared.contracts.notices import EnquiryAssigned, EnquiryClosed
from shared.unit_of_work import Work


@dataclass(frozen=True)
class MergeEnquiry:
    """An enquiry, the one into which it is merged, and the librarian who takes that one."""

    enquiry_id: str
    into: str
    librarian: Librarian
    seen: int
    """Version of the enquiry that the librarian has read."""
    seen_into: int
    """Version of the other enquiry that the librarian has read."""


def merge_enquiry(work: Work, command: MergeEnquiry) -> Enquiry:
    """Merge the enquiry and return it, closed.

    Raises NoSuchEnquiry, NotMergeable, EnquiryChanged or EnquiryIsClosed.
    """
    merged, into = rules.merged(
        existing(work, command.enquiry_id),
        existing(work, command.into),
        command.librarian,
        work.now,
        seen=command.seen,
        seen_into=command.seen_into,
    )
    publish(work, into, EnquiryAssigned)
    tell_guest(work, merged, EnquiryClosed)
    return publish(work, merged, EnquiryClosed)
