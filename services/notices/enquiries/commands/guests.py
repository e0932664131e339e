"""Ask as a guest, confirm the address, send the link, and erase the question."""

from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from html import escape

from services.notices.channels.clients.mail import (
    Mailer,
    envelope,
    hand_over,
    html_page,
    with_body,
    with_link,
)
from services.notices.channels.rules.deliveries import (
    CONFIRM,
    GuestEmail,
    delivery_to_guest,
    dropped,
)
from services.notices.channels.store import deliveries as deliveries_store
from services.notices.enquiries.commands.enquiries import add_message, existing, publish
from services.notices.enquiries.events import enquiry_snapshot
from services.notices.enquiries.refusals import TooManyEnquiries
from services.notices.enquiries.rules import guests as guests_rules
from services.notices.enquiries.rules.enquiries import Enquiry, closed
from services.notices.enquiries.rules.guests import (
    CONFIRM_WITHIN,
    MOST_OPEN,
    Asked,
    Guest,
    Question,
    check_usable,
    is_expired,
    is_over,
)
from services.notices.enquiries.store import attachments as attachments_store
from services.notices.enquiries.store import enquiries as enquiries_store
from services.notices.enquiries.store import guests as guests_store
from services.notices.language import Language, language_of
from services.notices.settings import Settings
from shared.clock import wall_clock
from shared.contracts.notices import EnquiryClosed, EnquiryOpened
from shared.idempotency import delete_responses
from shared.ids import new_id
from shared.translations import marked
from shared.unit_of_work import Run, Work

GUEST_CONFIRM_SUBJECT = marked("Please confirm your question to the library")
GUEST_CONFIRM = marked(
    "Somebody has asked the library a question with this e-mail address. If it was you, confirm it "
    "here: {address}"
)
GUEST_CONFIRM_UNTIL = marked(
    "The link is valid for 24 hours. If it wasn't you, you don't need to do anything: the question "
    "is then deleted, and nobody has read it."
)
GUEST_SUBJECT = marked("Your question to the library")
GUEST_ANSWERED = marked("The library has answered your question {subject}.")
GUEST_ASKED_BACK = marked("The library needs to know more about your question {subject}.")
GUEST_MERGED = marked("The library answers your question {subject} together with another one.")
GUEST_WRITTEN = marked("The library has written to you about your question.")
GUEST_SEE = marked("Read it and reply here: {address}")
GUEST_SECRET = marked(
    "Whoever has this link can read your question. Please don't pass this e-mail on."
)


@dataclass(frozen=True)
class GuestLink:
    """The recipient of an e-mail to a guest: the address, and the token of the link."""

    address: str = field(repr=False)
    token: str = field(repr=False)


@dataclass(frozen=True)
class Letter:
    """The words of an e-mail to a guest; `see` has the place of the link."""

    subject: str
    text: str
    see: str
    after: str


def email_to_guest(
    delivery_id: str,
    guest: Guest,
    enquiry: Enquiry | None,
    *,
    to: GuestLink,
    at: datetime,
    settings: Settings,
) -> EmailMessage:
    """Return the message with a guest's link. Raises BadAddress.

    It says that the address is to be confirmed or, with an `enquiry`, what the library has done.
    """
    letter = _letter(enquiry, language_of(guest.language))
    link = f"{settings.public_url}/ask/{to.token}"
    message = envelope(delivery_id, to.address, letter.subject, at, settings)
    plain = [text for text in (letter.text, letter.see.format(address=link), letter.after) if text]
    before = f"<p>{escape(letter.text)}</p>" if letter.text else ""
    html = f"{before}<p>{with_link(letter.see, link)}</p><p>{escape(letter.after)}</p>"
    text = "\n\n".join(plain) + "\n"
    return with_body(message, guest.language, text, html_page(html, guest.language))


def _letter(enquiry: Enquiry | None, language: Language) -> Letter:
    say = language.say
    if enquiry is None:
        return Letter(
            say(GUEST_CONFIRM_SUBJECT),
            "",
            say(GUEST_CONFIRM),
            say(GUEST_CONFIRM_UNTIL),
        )
    if enquiry.merged_into is not None:
        text = GUEST_MERGED
    else:
        by_state = {"answered": GUEST_ANSWERED, "waiting": GUEST_ASKED_BACK}
        text = by_state.get(enquiry.state, GUEST_WRITTEN)
    subject = language.quoted(enquiry.subject, "")
    return Letter(
        say(GUEST_SUBJECT),
        say(text).format(subject=subject),
        say(GUEST_SEE),
        say(GUEST_SECRET),
    )


async def send_link(
    delivery: GuestEmail, mailer: Mailer, settings: Settings, run: Run
) -> GuestEmail:
    """Send a guest the link; return what became of it."""
    guest_id = delivery.guest_id
    guest = await guests_store.find_one(run.database, guest_id)
    if guest is None:
        return dropped(delivery, "withdrawn", wall_clock())
    confirms = delivery.kind == CONFIRM
    enquiry = None if confirms else await enquiries_store.find_one(run.database, guest_id)
    if (guest.question is None) == confirms or (enquiry is None) != confirms:
        return dropped(delivery, "outdated", wall_clock())
    secret = settings.service_secret
    address = guests_store.unseal_address(secret, guest.address)
    if address is None:
        return dropped(delivery, "no-address", wall_clock())
    to = GuestLink(address, guests_store.guest_token(guest_id, secret))

    def message() -> EmailMessage:
        at = wall_clock()
        return email_to_guest(delivery.id, guest, enquiry, to=to, at=at, settings=settings)

    return await hand_over(delivery, message, address, mailer)


def ask_as_guest(
    work: Work,
    *,
    question: Question,
    language: str,
    address: bytes,
    digest: str,
    mailbox_digest: str,
) -> datetime:
    """Keep the question and queue the e-mail to confirm it; return until when that is possible.

    Nothing is kept for a mailbox that has had enough of these e-mails. The answer is the same, so
    that nobody learns what others have asked.
    """
    until = work.now + CONFIRM_WITHIN
    known = guests_store.get_mailbox(work, mailbox_digest)
    asked = Asked(new_id(), work.now)
    mailbox = guests_rules.with_question(known, mailbox_digest, asked, wall_clock())
    if mailbox is None:
        return until
    guests_store.save_mailbox(work, mailbox)
    guest = Guest(
        id=asked.guest_id,
        version=1,
        mailbox=mailbox_digest,
        digest=digest,
        address=address,
        language=language,
        asked_at=work.now,
        question=question,
        expires_at=wall_clock() + CONFIRM_WITHIN,
    )
    guests_store.save(work, guest)
    deliveries_store.save(work, delivery_to_guest(guest.id, CONFIRM, 0, wall_clock()))
    return until


def confirm_guest(work: Work, guest_id: str) -> Enquiry:
    """Open the enquiry and return it; an address that is confirmed already changes nothing.

    Raises NoSuchGuestEnquiry or TooManyEnquiries. Writes the mailbox, so that two confirmations of
    one guest can't both take the last enquiry that the guest may have.
    """
    guest = guests_rules.check_usable(guests_store.get(work, guest_id), work.now)
    if guest.question is None:
        return existing(work, guest.id)
    if enquiries_store.count_open_of_guest(work, guest.digest) >= MOST_OPEN:
        raise TooManyEnquiries
    mailbox = guests_store.get_mailbox(work, guest.mailbox)
    if mailbox is not None:
        left = guests_rules.without_question(mailbox, guest.id, wall_clock())
        guests_store.save_mailbox(work, left)
    guests_store.save(work, guests_rules.confirmed(guest))
    enquiry = guests_rules.enquiry_of(guest, guest.question, work.now)
    publish(work, enquiry, EnquiryOpened)
    add_message(work, enquiry, guest.question.text, None)
    return enquiry


def erase_guest(work: Work, guest_id: str) -> None:
    """Delete the question, as its guest wishes. Raises NoSuchGuestEnquiry."""
    check_usable(guests_store.get(work, guest_id), work.now)
    _erase(work, guest_id)


def purge_guest(work: Work, guest_id: str) -> int:
    """Delete the question if its time is over; return the number deleted."""
    guest = guests_store.get(work, guest_id)
    enquiry = enquiries_store.get(work, guest_id)
    expired = guest is not None and is_expired(guest, work.now)
    if not expired and (enquiry is None or not is_over(enquiry, work.now)):
        return 0
    _erase(work, guest_id)
    return 1


def _erase(work: Work, guest_id: str) -> None:
    """Delete a guest's enquiry, those that were merged into it, and the addresses.

    An enquiry that is open is published as closed.
    """
    enquiry = enquiries_store.get(work, guest_id)
    if enquiry is not None:
        for merged in enquiries_store.merged_into(work, guest_id):
            _erase(work, merged.id)
        _end(work, enquiry)
    deliveries_store.delete_of_guest(work, guest_id)
    guests_store.delete(work, guest_id)
    delete_responses(work, guest_id)


def _end(work: Work, enquiry: Enquiry) -> None:
    if enquiry.is_open:
        work.record(enquiry_snapshot(EnquiryClosed, closed(enquiry, work.now, seen=None)))
    attachments_store.delete_of_enquiry(work, enquiry.id)
    enquiries_store.delete(work, enquiry.id)
