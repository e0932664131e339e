"""Store a change of an enquiry, and publish it."""

from collections.abc import Sequence

from services.notices import store
from services.notices.domain import attachment as attachments
from services.notices.domain import enquiry as rules
from services.notices.domain.attachment import AttachedFile
from services.notices.domain.delivery import delivery_to_guest
from services.notices.domain.enquiry import Enquiry, Librarian, Message
from services.notices.domain.enquiry_refusals import NoSuchAttachment, NoSuchEnquiry
from services.notices.domain.search import terms_of
from shared.clock import wall_clock
from shared.contracts.notices import EnquirySnapshot
from shared.ids import new_id
from shared.unit_of_work import Work


def existing(work: Work, enquiry_id: str) -> Enquiry:
    """Return an enquiry. Raises NoSuchEnquiry."""
    enquiry = store.enquiries.get(work, enquiry_id)
    if enquiry is None:
        raise NoSuchEnquiry
    return enquiry


def publish(work: Work, enquiry: Enquiry, kind: type[EnquirySnapshot]) -> Enquiry:
    """Store a version of an enquiry, publish it, and return it."""
    store.enquiries.save(work, enquiry)
    work.record(snapshot(kind, enquiry))
    return enquiry


def tell_guest(work: Work, enquiry: Enquiry, kind: type[EnquirySnapshot]) -> None:
    """Queue the e-mail that tells a guest of a change; patrons are notified of its event."""
    if enquiry.guest is not None:
        told = delivery_to_guest(enquiry.id, kind.topic, enquiry.version, wall_clock())
        store.deliveries.save(work, told)


def attach(
    work: Work, enquiry: Enquiry, owner_id: str, attachment_ids: Sequence[str]
) -> tuple[Enquiry, tuple[AttachedFile, ...]]:
    """Take the files that someone uploaded into an enquiry; return it with their number.

    Raises NoSuchAttachment or TooManyAttachments.
    """
    files = []
    for attachment_id in dict.fromkeys(attachment_ids):
        attachment = store.attachments.get(work, attachment_id)
        if attachment is None:
            raise NoSuchAttachment
        taken = attachments.sent(attachment, owner_id, enquiry.id, enquiry.patron_id)
        store.attachments.save(work, taken)
        files.append(AttachedFile(taken.id, taken.name, taken.kind, taken.size))
    return rules.with_files(enquiry, len(files)), tuple(files)


def add_message(
    work: Work,
    enquiry: Enquiry,
    text: str,
    author: Librarian | None,
    files: tuple[AttachedFile, ...] = (),
) -> None:
    """Add a message that an enquiry counts already; `author` is None for who asked."""
    message = Message(
        id=new_id(),
        version=1,
        enquiry_id=enquiry.id,
        at=work.now,
        text=text,
        author=author,
        number=enquiry.messages + enquiry.notes,
        attachments=files,
        terms=terms_of(enquiry.subject, text) if enquiry.version == 1 else terms_of(text),
    )
    store.enquiries.add_message(work, message)


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
        merged_into=enquiry.merged_into,
    )
