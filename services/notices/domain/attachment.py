"""Attachments of messages: files that a patron or a librarian sends with a message."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import PurePosixPath

from services.notices.domain.enquiry_refusals import BadAttachment, NoSuchAttachment

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
        raise BadAttachment from None
    controls = {chr(code) for code in (*range(32), *range(127, 160))} - set("\t\n\r\f")
    if not text.strip() or not controls.isdisjoint(text):
        raise BadAttachment
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
        raise NoSuchAttachment
    return replace(
        attachment,
        version=attachment.version + 1,
        enquiry_id=enquiry_id,
        patron_id=patron_id,
    )


def is_unused(attachment: Attachment, now: datetime) -> bool:
    """Return whether the attachment waits for a message for too long."""
    return attachment.enquiry_id is None and attachment.uploaded_at < now - UNUSED
