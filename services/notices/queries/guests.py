"""The queries behind a guest's link: the question with its messages, and the files of answers."""

from dataclasses import dataclass
from datetime import datetime

from services.notices import store
from services.notices.domain.attachment import Attachment
from services.notices.domain.enquiry_refusals import NoSuchAttachment, NoSuchGuestEnquiry
from services.notices.domain.guest import Guest, check_usable
from services.notices.queries.attachments import existing_content
from services.notices.queries.enquiries import Thread, whole_thread
from shared.mongo import Database


@dataclass(frozen=True)
class GuestThread:
    """A guest, and the enquiry with its messages once the address is confirmed."""

    guest: Guest
    thread: Thread | None


async def thread_of_guest(db: Database, guest_id: str, now: datetime) -> GuestThread:
    """Return a guest with the thread. Raises NoSuchGuestEnquiry."""
    guest = check_usable(await store.guests.find_one(db, guest_id), now)
    if guest.question is not None:
        return GuestThread(guest, None)
    enquiry = await store.enquiries.find_one(db, guest_id)
    if enquiry is None:  # deleted meanwhile
        raise NoSuchGuestEnquiry
    return GuestThread(guest, await whole_thread(db, enquiry, notes=False))


async def file_of_guest(
    db: Database, guest_id: str, attachment_id: str
) -> tuple[Attachment, bytes]:
    """Return a file of the guest's enquiry and its content. Raises NoSuchAttachment."""
    attachment = await store.attachments.find_one(db, attachment_id)
    if attachment is None or attachment.content_id is None or attachment.enquiry_id != guest_id:
        raise NoSuchAttachment
    return attachment, await existing_content(db, attachment)
