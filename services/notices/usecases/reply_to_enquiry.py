"""Reply to an enquiry, as the patron or guest who asked."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.notices.domain import enquiry as rules
from services.notices.domain.enquiry import Enquiry
from services.notices.domain.enquiry_refusals import NoSuchEnquiry
from services.notices.usecases.publish_enquiry import add_message, attach, existing, publish
from shared.contracts.notices import EnquiryOpened
from shared.unit_of_work import Work


@dataclass(frozen=True)
class ReplyToEnquiry:
    """A reply of who asked."""

    enquiry_id: str
    patron_id: str | None
    """The patron who replies; None: the guest of this enquiry."""
    text: str
    attachments: Sequence[str] = ()
    """Ids of files that the patron has uploaded."""


def reply_to_enquiry(work: Work, command: ReplyToEnquiry) -> Enquiry:
    """Add the reply, which opens the enquiry again.

    Raises NoSuchEnquiry, EnquiryFull, EnquiryMerged, NoSuchAttachment or TooManyAttachments.
    """
    enquiry = existing(work, command.enquiry_id)
    if enquiry.patron_id != command.patron_id:
        raise NoSuchEnquiry
    replied = rules.replied(enquiry, work.now)
    owner = command.patron_id or enquiry.id
    enquiry, files = attach(work, replied, owner, command.attachments)
    publish(work, enquiry, EnquiryOpened)
    add_message(work, enquiry, command.text, None, files)
    return enquiry
