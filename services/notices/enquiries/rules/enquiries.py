"""Enquiries to Ask a Librarian, and the files of their messages."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import PurePosixPath
from typing import Literal

from services.notices.enquiries import refusals

MOST_IN_MESSAGE = 5
MOST_IN_ENQUIRY = 30
MOST_UNUSED = 20
"""Number of files that a patron may have uploaded without sending a message with them."""
UNUSED = timedelta(days=1)
"""Time for which a file is kept without a message."""
LONGEST_NAME = 100

TEXT = "text/plain"
_BEGINNINGS = {
    "application/pdf": b"%PDF-",
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/jpeg": b"\xff\xd8\xff",
}
"""The first bytes of each kind of file but text."""
_SUFFIXES = {
    "application/pdf": (".pdf",),
    "image/png": (".png",),
    "image/jpeg": (".jpg", ".jpeg"),
    TEXT: (".txt", ".csv", ".md"),
}
"""The ends of the names of each kind of file; the first is added to a name without one."""
KINDS = tuple(_SUFFIXES)
"""The media types of files that may be attached."""
State = Literal["new", "assigned", "waiting", "answered", "closed"]
"""`new` until a librarian takes it; `assigned` to one; `waiting` for the patron's reply to a
question; `answered`; `closed`, which ends it until the patron replies."""

Outcome = Literal["bought", "not-bought"]
"""Answer to a suggestion: the library buys the title, or does not."""

MOST_MESSAGES = 200
"""Number of messages and notes that an enquiry may have."""


@dataclass(frozen=True)
class AttachedFile:
    """A file as the message that it came with names it."""

    id: str
    name: str
    kind: str
    """Media type, as found in the content."""
    size: int
    """Number of bytes."""


@dataclass(frozen=True)
class Attachment:
    """A file that was uploaded. Its content is stored beside it."""

    id: str
    version: int
    owner_id: str
    """The patron or librarian who uploaded it."""
    name: str
    kind: str
    size: int
    uploaded_at: datetime
    content_id: str | None = None
    """Name of its content in the store; None until all of it is stored."""
    enquiry_id: str | None = None
    """The enquiry in which it was sent; None before."""
    patron_id: str | None = None
    """The patron of that enquiry; None in a guest's."""

    @property
    def personal_of(self) -> str:
        """The owner, whose erasure ends the stored responses with this."""
        return self.owner_id


def kind_of(content: bytes) -> str:
    """Return the media type of a file by its content. Raises BadAttachment for other kinds.

    A text is UTF-8 without control characters.
    """
    for kind, beginning in _BEGINNINGS.items():
        if content.startswith(beginning):
            return kind
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise refusals.BadAttachment from None
    controls = {chr(code) for code in (*range(32), *range(127, 160))} - set("\t\n\r\f")
    if not text.strip() or not controls.isdisjoint(text):
        raise refusals.BadAttachment
    return TEXT


def file_name(given: str, kind: str) -> str:
    """Return a name under which a file can be stored anywhere, ending as its kind does."""
    last = given.replace("\\", "/").rpartition("/")[2]
    plain = "".join(letter for letter in last if letter.isprintable() and letter not in '<>:"|?*')
    plain = plain.strip(" .") or "file"
    suffix = PurePosixPath(plain).suffix
    if suffix.lower() in _SUFFIXES[kind]:
        return plain[: -len(suffix)][: LONGEST_NAME - len(suffix)] + suffix
    return plain[: LONGEST_NAME - len(_SUFFIXES[kind][0])] + _SUFFIXES[kind][0]


def stored(attachment: Attachment, content_id: str) -> Attachment:
    """Return the attachment with its content."""
    return replace(attachment, version=attachment.version + 1, content_id=content_id)


def sent(
    attachment: Attachment, owner_id: str, enquiry_id: str, patron_id: str | None
) -> Attachment:
    """Return the attachment as sent in an enquiry; `patron_id` is None in a guest's.

    Raises NoSuchAttachment unless its owner sends it, for the first time.
    """
    if (
        attachment.owner_id != owner_id
        or attachment.content_id is None
        or attachment.enquiry_id is not None
    ):
        raise refusals.NoSuchAttachment
    return replace(
        attachment,
        version=attachment.version + 1,
        enquiry_id=enquiry_id,
        patron_id=patron_id,
    )


def is_unused(attachment: Attachment, now: datetime) -> bool:
    """Return whether the attachment waits for a message for too long."""
    return attachment.enquiry_id is None and attachment.uploaded_at < now - UNUSED


@dataclass(frozen=True)
class Librarian:
    """A member of staff who works on an enquiry."""

    id: str
    name: str


@dataclass(frozen=True)
class Message:
    """One message of an enquiry, or a note that only staff see."""

    id: str
    version: int
    enquiry_id: str
    at: datetime
    text: str
    author: Librarian | None
    """None for the messages of the patron or guest."""
    private: bool = False
    """True for a note."""
    number: int = 0
    """Ordinal among the messages and notes of its enquiry, in the order of their transactions."""
    attachments: tuple[AttachedFile, ...] = ()
    terms: tuple[str, ...] = ()
    """The search terms of its text and, in the first message, of the subject; never read."""


@dataclass(frozen=True)
class Wanted:
    """A purchase that a patron suggests, beside its title, which is the subject."""

    author: str
    isbn: str


@dataclass(frozen=True)
class Enquiry:
    """An enquiry without its messages, which are stored beside it."""

    id: str
    version: int
    patron_id: str | None
    """None: a guest has asked."""
    subject: str
    language: str
    opened_at: datetime
    changed_at: datetime
    """Time of the last change of state or the last message, without notes."""
    branch: str | None = None
    """Code of the library whose staff are asked; None: anyone."""
    title_id: str | None = None
    """The title that the question is about, if any."""
    state: State = "new"
    librarian: Librarian | None = None
    """The librarian who works on it, or who answered it last."""
    first_answered_at: datetime | None = None
    messages: int = 1
    """Number of messages, without notes."""
    notes: int = 0
    attachments: int = 0
    """Number of files of all its messages."""
    merged_into: str | None = None
    """The enquiry of the same patron or guest in which this one goes on, if staff have merged
    them."""
    guest: str | None = field(default=None, repr=False)
    """Digest of the e-mail address of the guest who asked; None: a patron has asked."""
    wanted: Wanted | None = None
    """None: a question, not a suggestion to buy something."""
    outcome: Outcome | None = None
    """None: a question, or a suggestion that is not answered."""

    @property
    def personal_of(self) -> str:
        """The patron, or the guest, whose erasure ends the stored responses with this."""
        return self.patron_id or self.id

    @property
    def is_open(self) -> bool:
        """False while the enquiry is closed."""
        return self.state != "closed"


def replied(enquiry: Enquiry, at: datetime) -> Enquiry:
    """Return the enquiry with one more message of the patron, open again.

    It goes to the librarian who worked on it, or else to everyone. Raises EnquiryFull, or
    EnquiryMerged.
    """
    if enquiry.merged_into is not None:
        raise refusals.EnquiryMerged(into=enquiry.merged_into)
    state: State = "assigned" if enquiry.librarian else "new"
    return replace(_with_message(enquiry, at), state=state)


def answered(
    enquiry: Enquiry,
    librarian: Librarian,
    at: datetime,
    *,
    seen: int,
    asks: bool,
    outcome: Outcome | None = None,
) -> Enquiry:
    """Return the enquiry with one more message of a librarian, who asks something or answers.

    `seen` is the version that the librarian has read. Raises EnquiryChanged if there is a newer
    one, EnquiryIsClosed, EnquiryFull, or NotSuggested if a question gets the outcome of a
    suggestion.
    """
    if outcome and enquiry.wanted is None:
        raise refusals.NotSuggested
    _check_open(enquiry)
    _check_seen(enquiry, seen)
    return replace(
        _with_message(enquiry, at),
        state="waiting" if asks else "answered",
        librarian=librarian,
        first_answered_at=enquiry.first_answered_at or at,
        outcome=outcome or enquiry.outcome,
    )


def assigned(enquiry: Enquiry, librarian: Librarian, at: datetime, *, seen: int) -> Enquiry:
    """Return the enquiry assigned to a librarian. Raises EnquiryChanged or EnquiryIsClosed."""
    _check_open(enquiry)
    _check_seen(enquiry, seen)
    return replace(_changed(enquiry, at), state="assigned", librarian=librarian)


def passed_on(enquiry: Enquiry, branch: str | None, at: datetime, *, seen: int) -> Enquiry:
    """Return the enquiry for the staff of a branch, or for all. Raises as `assigned` does."""
    _check_open(enquiry)
    _check_seen(enquiry, seen)
    return replace(_changed(enquiry, at), state="new", branch=branch, librarian=None)


def closed(enquiry: Enquiry, at: datetime, *, seen: int | None) -> Enquiry:
    """Return the enquiry as closed. Raises EnquiryIsClosed, or EnquiryChanged as `answered`."""
    _check_open(enquiry)
    _check_seen(enquiry, enquiry.version if seen is None else seen)
    return replace(_changed(enquiry, at), state="closed")


def with_files(enquiry: Enquiry, number: int) -> Enquiry:
    """Return the enquiry with a number of further files. Raises TooManyAttachments."""
    if enquiry.attachments + number > MOST_IN_ENQUIRY:
        raise refusals.TooManyAttachments
    return replace(enquiry, attachments=enquiry.attachments + number)


def merged(
    enquiry: Enquiry,
    into: Enquiry,
    librarian: Librarian,
    at: datetime,
    *,
    seen: int,
    seen_into: int,
) -> tuple[Enquiry, Enquiry]:
    """Return an enquiry as closed and merged into another, and that one.

    The librarian takes the other, which has more to answer now. Its thread stays as it is. Raises
    NotMergeable unless both are of the same patron or guest, EnquiryChanged or EnquiryIsClosed.
    """
    if enquiry.id == into.id or _asker(enquiry) != _asker(into):
        raise refusals.NotMergeable
    done = replace(closed(enquiry, at, seen=seen), merged_into=into.id)
    return done, assigned(into, librarian, at, seen=seen_into)


def _asker(enquiry: Enquiry) -> tuple[str | None, str | None]:
    return enquiry.patron_id, enquiry.guest


def _changed(enquiry: Enquiry, at: datetime) -> Enquiry:
    return replace(enquiry, version=enquiry.version + 1, changed_at=at)


def _with_message(enquiry: Enquiry, at: datetime) -> Enquiry:
    if enquiry.messages >= MOST_MESSAGES:
        raise refusals.EnquiryFull
    return replace(_changed(enquiry, at), messages=enquiry.messages + 1)


def _check_open(enquiry: Enquiry) -> None:
    if not enquiry.is_open:
        raise refusals.EnquiryIsClosed


def _check_seen(enquiry: Enquiry, seen: int) -> None:
    if enquiry.version != seen:
        raise refusals.EnquiryChanged(version=enquiry.version)
