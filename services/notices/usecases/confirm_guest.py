"""Confirm the address of a guest, whose question then reaches the librarians."""

from services.notices import store
from services.notices.domain import guest as rules
from services.notices.domain.enquiry import Enquiry
from services.notices.domain.enquiry_refusals import TooManyEnquiries
from services.notices.domain.guest import MOST_OPEN
from services.notices.usecases.publish_enquiry import add_message, existing, publish
from shared.clock import wall_clock
from shared.contracts.notices import EnquiryOpened
from shared.unit_of_work import Work


def confirm_guest(work: Work, guest_id: str) -> Enquiry:
    """Open the enquiry and return it; an address that is confirmed already changes nothing.

    Raises NoSuchGuestEnquiry or TooManyEnquiries. Writes the mailbox, so that two confirmations of
    one guest can't both take the last enquiry that the guest may have.
    """
    guest = rules.check_usable(store.guests.get(work, guest_id), work.now)
    if guest.question is None:
        return existing(work, guest.id)
    if store.enquiries.count_open_of_guest(work, guest.digest) >= MOST_OPEN:
        raise TooManyEnquiries
    mailbox = store.guests.get_mailbox(work, guest.mailbox)
    if mailbox is not None:
        left = rules.without_question(mailbox, guest.id, wall_clock())
        store.guests.save_mailbox(work, left)
    store.guests.save(work, rules.confirmed(guest))
    enquiry = rules.enquiry_of(guest, guest.question, work.now)
    publish(work, enquiry, EnquiryOpened)
    add_message(work, enquiry, guest.question.text, None)
    return enquiry
