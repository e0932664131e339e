"""An enquiry: a question of a patron or a guest to Ask a Librarian, from opening to closing."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from services.notices.domain.attachment import MOST_IN_ENQUIRY, AttachedFile
from services.notices.domain.enquiry_refusals import (
    EnquiryChanged,
    EnquiryFull,
    EnquiryIsClosed,
    EnquiryMerged,
    NotMergeable,
    TooManyAttachments,
)

State = Literal["new", "assigned", "waiting", "answered", "closed"]
"""`new` until a librarian takes it; `assigned` to one; `waiting` for the patron's reply to a
question; `answered`; `closed`, which ends it until the patron replies."""

MOST_MESSAGES = 200
"""Number of messages and notes that an enquiry may have."""


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
        raise EnquiryMerged(enquiry.merged_into)
    state: State = "assigned" if enquiry.librarian else "new"
    return replace(_with_message(enquiry, at), state=state)


def answered(
    enquiry: Enquiry, librarian: Librarian, at: datetime, *, seen: int, asks: bool
) -> Enquiry:
    """Return the enquiry with one more message of a librarian, who asks something or answers.

    `seen` is the version that the librarian has read. Raises EnquiryChanged if there is a newer
    one, EnquiryIsClosed or EnquiryFull.
    """
    _check_open(enquiry)
    _check_seen(enquiry, seen)
    return replace(
        _with_message(enquiry, at),
        state="waiting" if asks else "answered",
        librarian=librarian,
        first_answered_at=enquiry.first_answered_at or at,
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
        raise TooManyAttachments
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
        raise NotMergeable
    done = replace(closed(enquiry, at, seen=seen), merged_into=into.id)
    return done, assigned(into, librarian, at, seen=seen_into)


def _asker(enquiry: Enquiry) -> tuple[str | None, str | None]:
    return enquiry.patron_id, enquiry.guest


def _changed(enquiry: Enquiry, at: datetime) -> Enquiry:
    return replace(enquiry, version=enquiry.version + 1, changed_at=at)


def _with_message(enquiry: Enquiry, at: datetime) -> Enquiry:
    if enquiry.messages >= MOST_MESSAGES:
        raise EnquiryFull
    return replace(_changed(enquiry, at), messages=enquiry.messages + 1)


def _check_open(enquiry: Enquiry) -> None:
    if not enquiry.is_open:
        raise EnquiryIsClosed


def _check_seen(enquiry: Enquiry, seen: int) -> None:
    if enquiry.version != seen:
        raise EnquiryChanged(enquiry.version)
