"""Delete an attachment that was not sent, or what is left of a broken-off upload."""

from services.notices import store
from services.notices.domain.attachment import is_unused
from shared.unit_of_work import Work


def purge_attachment(work: Work, attachment_id: str) -> int:
    """Delete the attachment with its content, if it waited for too long; return 1 if it did."""
    attachment = store.attachments.get(work, attachment_id)
    if attachment is None or not is_unused(attachment, work.now):
        return 0
    store.attachments.delete(work, [attachment_id])
    return 1
