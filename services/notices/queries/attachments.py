"""The query for an attachment with its content."""

from services.notices import store
from services.notices.domain.attachment import Attachment
from services.notices.domain.refusals import NoSuchAttachment
from shared.auth import Caller, may_see
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
    sent = attachment.patron_id is not None and may_see(caller, attachment.patron_id)
    if attachment.owner_id != caller.id and not sent:
        raise NoSuchAttachment
    return attachment, await store.attachments.find_content(db, attachment.content_id)
