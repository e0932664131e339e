"""The query for an attachment with its content."""

from services.notices import store
from services.notices.domain.attachment import Attachment
from services.notices.domain.enquiry_refusals import NoSuchAttachment
from shared.auth import Caller
from shared.mongo import Database


async def attachment_with_content(
    db: Database, attachment_id: str, caller: Caller
) -> tuple[Attachment, bytes]:
    """Return an attachment and its content. Raises NoSuchAttachment.

    The patron of its enquiry and the staff may see it; before it is sent, its owner.
    """
    attachment = await store.attachments.find_one(db, attachment_id)
    if attachment is None or attachment.content_id is None:
        raise NoSuchAttachment
    sent = attachment.enquiry_id is not None
    theirs = "staff" in caller.roles or attachment.patron_id == caller.id
    if attachment.owner_id != caller.id and not (sent and theirs):
        raise NoSuchAttachment
    return attachment, await existing_content(db, attachment)


async def existing_content(db: Database, attachment: Attachment) -> bytes:
    """Return the content of an attachment. Raises NoSuchAttachment if it is deleted meanwhile."""
    content = await store.attachments.find_content(db, attachment)
    if content is None:
        raise NoSuchAttachment
    return content
