"""Upload files, and delete those that are not used."""

from dataclasses import dataclass

from services.notices.enquiries.refusals import NoSuchAttachment, TooManyAttachments
from services.notices.enquiries.rules.enquiries import MOST_UNUSED, Attachment, is_unused, stored
from services.notices.enquiries.store import attachments as attachments_store
from services.notices.patrons import store as patrons_store
from shared.ids import new_id
from shared.refusals import or_refuse
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


async def upload_attachment(run: Run, command: UploadAttachment, content: bytes) -> Attachment:
    """Store a file and return its attachment.

    GridFS takes part in no transaction. The attachment is stored first, and gets its content once
    that is whole: whatever breaks the upload off, the job `purge-attachments` finds the rest. A
    repeated request stores its content again and drops it. Raises NoSuchPatron,
    TooManyAttachments, or NoSuchAttachment if the owner is erased meanwhile.
    """
    attachment = await run(begin_upload, command)
    written = await attachments_store.write_content(run.database, attachment, content)
    try:
        kept = await run(keep_content, attachment.id, written)
    except NoSuchAttachment:
        await attachments_store.delete_content(run.database, written)
        raise
    if kept.content_id != written:
        await attachments_store.delete_content(run.database, written)
    return kept


def begin_upload(work: Work, command: UploadAttachment) -> Attachment:
    """Store an attachment without content. Raises NoSuchPatron or TooManyAttachments.

    Writes the patron's record, so that neither an erasure nor another upload commits meanwhile.
    """
    if command.of_patron:
        patron = patrons_store.get_unless_erased(work, command.owner_id)
        if attachments_store.count_unused(work, command.owner_id) >= MOST_UNUSED:
            raise TooManyAttachments
        patrons_store.hold(work, patron, command.owner_id)
    attachment = Attachment(
        id=new_id(),
        version=1,
        owner_id=command.owner_id,
        name=command.name,
        kind=command.kind,
        size=command.size,
        uploaded_at=work.now,
    )
    attachments_store.save(work, attachment)
    return attachment


def keep_content(work: Work, attachment_id: str, content_id: str) -> Attachment:
    """Give the attachment its content, unless it has one. Raises NoSuchAttachment."""
    attachment = or_refuse(attachments_store.get(work, attachment_id), NoSuchAttachment)
    if attachment.content_id is not None:
        return attachment
    attachment = stored(attachment, content_id)
    attachments_store.save(work, attachment)
    return attachment


def purge_attachment(work: Work, attachment_id: str) -> int:
    """Delete the attachment with its content, if it waited for too long; return 1 if it did."""
    attachment = attachments_store.get(work, attachment_id)
    if attachment is None or not is_unused(attachment, work.now):
        return 0
    attachments_store.delete(work, [attachment_id])
    return 1
