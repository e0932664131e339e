"""Upload a file, to be sent with a message later."""

from dataclasses import dataclass

from services.notices import store
from services.notices.domain import attachment as rules
from services.notices.domain.attachment import MOST_UNUSED, Attachment
from services.notices.domain.enquiry_refusals import NoSuchAttachment, TooManyAttachments
from services.notices.domain.refusals import NoSuchPatron
from shared.ids import new_id
from shared.unit_of_work import Run, Work


@dataclass(frozen=True)
class UploadAttachment:
    """A file and its owner."""

    owner_id: str
    of_patron: bool
    """True if the owner is a patron; False: a librarian."""
    name: str
    kind: str
    size: int


@dataclass(frozen=True)
class KeepContent:
    """An attachment and the name of its content, all of which is stored."""

    attachment_id: str
    content_id: str


async def upload_attachment(run: Run, command: UploadAttachment, content: bytes) -> Attachment:
    """Store a file and return its attachment.

    GridFS takes part in no transaction. The attachment is stored first, and gets its content once
    that is whole: whatever breaks the upload off, the job `purge-attachments` finds the rest. A
    repeated request stores its content again and drops it. Raises NoSuchPatron,
    TooManyAttachments, or NoSuchAttachment if the owner is erased meanwhile.
    """
    attachment = await run(begin_upload, command)
    written = await store.attachments.write_content(run.database, attachment, content)
    try:
        kept = await run(keep_content, KeepContent(attachment.id, written))
    except NoSuchAttachment:
        await store.attachments.delete_content(run.database, written)
        raise
    if kept.content_id != written:
        await store.attachments.delete_content(run.database, written)
    return kept


def begin_upload(work: Work, command: UploadAttachment) -> Attachment:
    """Store an attachment without content. Raises NoSuchPatron or TooManyAttachments.

    Writes the patron's record, so that neither an erasure nor another upload commits meanwhile.
    """
    if command.of_patron:
        patron = store.patrons.get(work, command.owner_id)
        if patron is not None and patron.erased:
            raise NoSuchPatron
        if store.attachments.count_unused(work, command.owner_id) >= MOST_UNUSED:
            raise TooManyAttachments
        store.patrons.hold(work, patron, command.owner_id)
    attachment = Attachment(
        id=new_id(),
        version=1,
        owner_id=command.owner_id,
        name=command.name,
        kind=command.kind,
        size=command.size,
        uploaded_at=work.now,
    )
    store.attachments.save(work, attachment)
    return attachment


def keep_content(work: Work, command: KeepContent) -> Attachment:
    """Give the attachment its content, unless it has one. Raises NoSuchAttachment."""
    attachment = store.attachments.get(work, command.attachment_id)
    if attachment is None:
        raise NoSuchAttachment
    if attachment.content_id is not None:
        return attachment
    attachment = rules.stored(attachment, command.content_id)
    store.attachments.save(work, attachment)
    return attachment
