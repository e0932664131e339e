"""Close an enquiry, as its patron or guest, or as staff."""

from dataclasses import dataclass

from services.notices.domain import enquiry as rules
from services.notices.domain.enquiry import Enquiry
from services.notices.domain.enquiry_refusals import NoSuchEnquiry
from services.notices.usecases.publish_enquiry import existing, publish
from shared.contracts.notices import EnquiryClosed
from shared.unit_of_work import Work


@dataclass(frozen=True)
class CloseEnquiry:
    """An enquiry to close."""

    enquiry_id: str
    patron_id: str | None
    """The patron who closes it; None: the staff, or the guest of this enquiry."""
    seen: int | None
    """Version of the enquiry that the caller has read; None: any."""


def close_enquiry(work: Work, command: CloseEnquiry) -> Enquiry:
    """Close the enquiry. Raises NoSuchEnquiry, EnquiryIsClosed or EnquiryChanged."""
    enquiry = existing(work, command.enquiry_id)
    if command.patron_id not in (None, enquiry.patron_id):
        raise NoSuchEnquiry
    return publish(work, rules.closed(enquiry, work.now, seen=command.seen), EnquiryClosed)
