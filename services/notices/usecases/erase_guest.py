"""Delete a guest's question with everything about it: as the guest wishes, or after its time."""

from dataclasses import dataclass

from services.notices import store
from services.notices.domain import enquiry as rules
from services.notices.domain.enquiry import Enquiry
from services.notices.domain.guest import check_usable, is_expired, is_over
from services.notices.usecases.publish_enquiry import snapshot
from shared.contracts.notices import EnquiryClosed
from shared.idempotency import delete_responses
from shared.unit_of_work import Work


@dataclass(frozen=True)
class PurgeGuest:
    """A guest whose question may have to be deleted."""

    guest_id: str


def erase_guest(work: Work, guest_id: str) -> None:
    """Delete the question, as its guest wishes. Raises NoSuchGuestEnquiry."""
    check_usable(store.guests.get(work, guest_id), work.now)
    _erase(work, guest_id)


def purge_guest(work: Work, command: PurgeGuest) -> int:
    """Delete the question if its time is over; return the number deleted."""
    guest = store.guests.get(work, command.guest_id)
    enquiry = store.enquiries.get(work, command.guest_id)
    expired = guest is not None and is_expired(guest, work.now)
    if not expired and (enquiry is None or not is_over(enquiry, work.now)):
        return 0
    _erase(work, command.guest_id)
    return 1


def _erase(work: Work, guest_id: str) -> None:
    """Delete a guest's enquiry, those that were merged into it, and the addresses.

    An enquiry that is open is published as closed.
    """
    enquiry = store.enquiries.get(work, guest_id)
    if enquiry is not None:
        for merged in store.enquiries.merged_into(work, guest_id):
            _erase(work, merged.id)
        _end(work, enquiry)
    store.deliveries.delete_of_guest(work, guest_id)
    store.guests.delete(work, guest_id)
    delete_responses(work, guest_id)


def _end(work: Work, enquiry: Enquiry) -> None:
    if enquiry.is_open:
        work.record(snapshot(EnquiryClosed, rules.closed(enquiry, work.now, seen=None)))
    store.attachments.delete_of_enquiry(work, enquiry.id)
    store.enquiries.delete(work, enquiry.id)
