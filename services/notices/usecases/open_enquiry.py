"""Ask a question to the librarians."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.notices import store
from services.notices.domain.enquiry import Enquiry
from services.notices.domain.enquiry_refusals import TooManyEnquiries
from services.notices.domain.patron import Patron
from services.notices.domain.refusals import NoSuchBranch, NoSuchPatron, NoSuchTitle
from services.notices.usecases.publish_enquiry import add_message, attach, publish
from shared.contracts.notices import EnquiryOpened
from shared.ids import new_id
from shared.unit_of_work import Work

MOST_OPEN = 50
"""Number of open enquiries that a patron may have."""


@dataclass(frozen=True)
class OpenEnquiry:
    """A patron's question; without a language it is in the patron's own."""

    patron_id: str
    subject: str
    text: str
    language: str | None
    branch: str | None
    title_id: str | None
    attachments: Sequence[str] = ()
    """Ids of files that the patron has uploaded."""


def open_enquiry(work: Work, command: OpenEnquiry) -> Enquiry:
    """Open the enquiry and return it.

    Raises NoSuchPatron, NoSuchBranch, NoSuchTitle, TooManyEnquiries, NoSuchAttachment or
    TooManyAttachments. Writes the patron's record, so that no erasure can commit meanwhile and
    leave the question behind.
    """
    patron = store.patrons.get(work, command.patron_id)
    if patron is not None and patron.erased:
        raise NoSuchPatron
    if command.branch and store.branches.get(work, command.branch) is None:
        raise NoSuchBranch([command.branch])
    if command.title_id and not store.titles.is_known(work, command.title_id):
        raise NoSuchTitle
    if store.enquiries.count_open(work, command.patron_id) >= MOST_OPEN:
        raise TooManyEnquiries
    store.patrons.hold(work, patron, command.patron_id)
    enquiry = Enquiry(
        id=new_id(),
        version=1,
        patron_id=command.patron_id,
        subject=command.subject,
        language=command.language or (patron or Patron(command.patron_id)).speaks,
        opened_at=work.now,
        changed_at=work.now,
        branch=command.branch,
        title_id=command.title_id,
    )
    enquiry, files = attach(work, enquiry, command.patron_id, command.attachments)
    publish(work, enquiry, EnquiryOpened)
    add_message(work, enquiry, command.text, None, files)
    return enquiry
