"""Store a change of an enquiry, and publish it."""

from services.notices import store
from services.notices.domain.enquiry import Enquiry, Librarian, Message
from services.notices.domain.refusals import NoSuchEnquiry
from shared.contracts.notices import EnquirySnapshot
from shared.ids import new_id
from shared.unit_of_work import Work


async def existing(work: Work, enquiry_id: str) -> Enquiry:
    """Return an enquiry. Raises NoSuchEnquiry."""
    enquiry = await store.enquiries.get(work, enquiry_id)
    if enquiry is None:
        raise NoSuchEnquiry
    return enquiry


async def publish(work: Work, enquiry: Enquiry, kind: type[EnquirySnapshot]) -> Enquiry:
    """Store a version of an enquiry, publish it, and return it."""
    await store.enquiries.save(work, enquiry)
    work.record(snapshot(kind, enquiry))
    return enquiry


async def add_message(work: Work, enquiry: Enquiry, text: str, author: Librarian | None) -> None:
    """Add a message to an enquiry; `author` is None for the patron's."""
    message = Message(new_id(), 1, enquiry.id, work.now, text, author)
    await store.enquiries.add_message(work, message)


def snapshot(kind: type[EnquirySnapshot], enquiry: Enquiry) -> EnquirySnapshot:
    """Return an event with the state of an enquiry."""
    return kind(
        version=enquiry.version,
        enquiry_id=enquiry.id,
        patron_id=enquiry.patron_id,
        state=enquiry.state,
        open=enquiry.is_open,
        branch=enquiry.branch,
        title_id=enquiry.title_id,
        language=enquiry.language,
        opened_at=enquiry.opened_at,
        first_answered_at=enquiry.first_answered_at,
        messages=enquiry.messages,
    )
