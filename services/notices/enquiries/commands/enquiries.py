"""Open, answer, assign, merge and close enquiries."""

from collections.abc import Mapping, Sequence

from services.notices.branches import store as branches_store
from services.notices.channels.rules.deliveries import delivery_to_guest
from services.notices.channels.store import deliveries as deliveries_store
from services.notices.enquiries import refusals
from services.notices.enquiries.events import enquiry_snapshot
from services.notices.enquiries.rules import enquiries as enquiries_rules
from services.notices.enquiries.rules.bank import terms_of
from services.notices.enquiries.rules.enquiries import (
    MOST_MESSAGES,
    AttachedFile,
    Enquiry,
    Librarian,
    Message,
    Outcome,
    Wanted,
)
from services.notices.enquiries.store import attachments as attachments_store
from services.notices.enquiries.store import enquiries as enquiries_store
from services.notices.patrons import store as patrons_store
from services.notices.patrons.refusals import NoSuchTitle
from services.notices.patrons.rules import Patron
from shared.clock import wall_clock
from shared.contracts.notices import (
    EnquiryAnswered,
    EnquiryAssigned,
    EnquiryClosed,
    EnquiryOpened,
    EnquirySnapshot,
)
from shared.ids import new_id
from shared.refusals import or_refuse
from shared.unit_of_work import Work

MOST_OPEN = 50
"""Number of open enquiries that a patron may have."""


def existing(work: Work, enquiry_id: str) -> Enquiry:
    """Return an enquiry. Raises NoSuchEnquiry."""
    return or_refuse(enquiries_store.get(work, enquiry_id), refusals.NoSuchEnquiry)


def publish(work: Work, enquiry: Enquiry, kind: type[EnquirySnapshot]) -> Enquiry:
    """Store a version of an enquiry, publish it, and return it."""
    enquiries_store.save(work, enquiry)
    work.record(enquiry_snapshot(kind, enquiry))
    return enquiry


def notify_guest(work: Work, enquiry: Enquiry, kind: type[EnquirySnapshot]) -> None:
    """Queue the e-mail that tells a guest of a change; patrons are notified of its event."""
    if enquiry.guest is not None:
        email = delivery_to_guest(enquiry.id, kind.topic, enquiry.version, wall_clock())
        deliveries_store.save(work, email)


def attach(
    work: Work, enquiry: Enquiry, owner_id: str, attachment_ids: Sequence[str]
) -> tuple[Enquiry, tuple[AttachedFile, ...]]:
    """Take the files that someone uploaded into an enquiry; return it with their number.

    Raises NoSuchAttachment or TooManyAttachments.
    """
    files = []
    for attachment_id in dict.fromkeys(attachment_ids):
        attachment = or_refuse(
            attachments_store.get(work, attachment_id), refusals.NoSuchAttachment
        )
        taken = enquiries_rules.sent(attachment, owner_id, enquiry.id, enquiry.patron_id)
        attachments_store.save(work, taken)
        files.append(AttachedFile(taken.id, taken.name, taken.kind, taken.size))
    return enquiries_rules.with_files(enquiry, len(files)), tuple(files)


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
    enquiries_store.add_message(work, message)


def open_enquiry(
    work: Work,
    *,
    patron_id: str,
    subject: str,
    text: str,
    language: str | None,
    branch: str | None,
    title_id: str | None,
    attachments: Sequence[str] = (),
    wanted: Mapping[str, str] | None = None,
) -> Enquiry:
    """Open the enquiry, or with `wanted` the suggestion to buy something, and return it.

    Raises NoSuchPatron, NoSuchBranch, NoSuchTitle, TooManyEnquiries, NoSuchAttachment or
    TooManyAttachments. Writes the patron's record, so that no erasure can commit meanwhile and
    leave the question behind.
    """
    patron = patrons_store.get_unless_erased(work, patron_id)
    if branch:
        branches_store.existing(work, branch)
    if title_id and not patrons_store.is_known(work, title_id):
        raise NoSuchTitle
    if enquiries_store.count_open(work, patron_id) >= MOST_OPEN:
        raise refusals.TooManyEnquiries
    patrons_store.hold(work, patron, patron_id)
    enquiry = Enquiry(
        id=new_id(),
        version=1,
        patron_id=patron_id,
        subject=subject,
        language=language or (patron or Patron(patron_id)).speaks,
        opened_at=work.now,
        changed_at=work.now,
        branch=branch,
        title_id=title_id,
        wanted=Wanted(**wanted) if wanted else None,
    )
    enquiry, files = attach(work, enquiry, patron_id, attachments)
    publish(work, enquiry, EnquiryOpened)
    add_message(work, enquiry, text, None, files)
    return enquiry


def reply_to_enquiry(
    work: Work, enquiry_id: str, patron_id: str | None, text: str, attachments: Sequence[str] = ()
) -> Enquiry:
    """Add the reply of a patron, None: of the enquiry's guest, which opens the enquiry again.

    Raises NoSuchEnquiry, EnquiryFull, EnquiryMerged, NoSuchAttachment or TooManyAttachments.
    """
    enquiry = existing(work, enquiry_id)
    if enquiry.patron_id != patron_id:
        raise refusals.NoSuchEnquiry
    replied = enquiries_rules.replied(enquiry, work.now)
    owner = patron_id or enquiry.id
    enquiry, files = attach(work, replied, owner, attachments)
    publish(work, enquiry, EnquiryOpened)
    add_message(work, enquiry, text, None, files)
    return enquiry


def answer_enquiry(
    work: Work,
    *,
    enquiry_id: str,
    librarian: Librarian,
    text: str,
    seen: int,
    asks: bool,
    attachments: Sequence[str] = (),
    outcome: Outcome | None = None,
) -> Enquiry:
    """Add the answer of a librarian who has read the version `seen`.

    Raises NoSuchEnquiry, EnquiryChanged, EnquiryIsClosed, EnquiryFull, NotSuggested,
    NoSuchAttachment or TooManyAttachments.
    """
    enquiry = enquiries_rules.answered(
        existing(work, enquiry_id),
        librarian,
        work.now,
        seen=seen,
        asks=asks,
        outcome=outcome,
    )
    enquiry, files = attach(work, enquiry, librarian.id, attachments)
    publish(work, enquiry, EnquiryAnswered)
    notify_guest(work, enquiry, EnquiryAnswered)
    add_message(work, enquiry, text, librarian, files)
    return enquiry


def take_enquiry(work: Work, enquiry_id: str, librarian: Librarian, seen: int) -> Enquiry:
    """Assign the enquiry. Raises NoSuchEnquiry, EnquiryChanged or EnquiryIsClosed."""
    enquiry = existing(work, enquiry_id)
    taken = enquiries_rules.assigned(enquiry, librarian, work.now, seen=seen)
    return publish(work, taken, EnquiryAssigned)


def pass_on_enquiry(work: Work, enquiry_id: str, branch: str | None, seen: int) -> Enquiry:
    """Pass the enquiry on. Raises as `take_enquiry` does, or NoSuchBranch."""
    if branch:
        branches_store.existing(work, branch)
    enquiry = existing(work, enquiry_id)
    passed = enquiries_rules.passed_on(enquiry, branch, work.now, seen=seen)
    return publish(work, passed, EnquiryAssigned)


def close_enquiry(work: Work, enquiry_id: str, patron_id: str | None, seen: int | None) -> Enquiry:
    """Close the enquiry for a patron; None: for the staff, or its guest.

    Raises NoSuchEnquiry, EnquiryIsClosed or EnquiryChanged.
    """
    enquiry = existing(work, enquiry_id)
    if patron_id not in (None, enquiry.patron_id):
        raise refusals.NoSuchEnquiry
    return publish(work, enquiries_rules.closed(enquiry, work.now, seen=seen), EnquiryClosed)


def merge_enquiry(
    work: Work, *, enquiry_id: str, into: str, librarian: Librarian, seen: int, seen_into: int
) -> Enquiry:
    """Merge the enquiry into another one, and return it, closed.

    `seen` and `seen_into` are the versions of the two that the librarian has read. Raises
    NoSuchEnquiry, NotMergeable, EnquiryChanged or EnquiryIsClosed.
    """
    merged, other = enquiries_rules.merged(
        existing(work, enquiry_id),
        existing(work, into),
        librarian,
        work.now,
        seen=seen,
        seen_into=seen_into,
    )
    publish(work, other, EnquiryAssigned)
    notify_guest(work, merged, EnquiryClosed)
    return publish(work, merged, EnquiryClosed)


def note_on_enquiry(work: Work, enquiry_id: str, librarian: Librarian, text: str) -> Enquiry:
    """Add the note, which changes nothing else. Raises NoSuchEnquiry or EnquiryFull."""
    enquiry = existing(work, enquiry_id)
    if enquiry.notes >= MOST_MESSAGES:
        raise refusals.EnquiryFull
    note = Message(
        id=new_id(),
        version=1,
        enquiry_id=enquiry.id,
        at=work.now,
        text=text,
        author=librarian,
        private=True,
        number=enquiry.messages + enquiry.notes + 1,
        terms=terms_of(text),
    )
    enquiries_store.add_note(work, note)
    return enquiry
