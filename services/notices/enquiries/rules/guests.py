"""A guest: somebody without an account who asks a librarian, and is answered by e-mail.

A guest's question reaches nobody until its address is confirmed by the link in an e-mail. From then
on it is an enquiry with the same id, and the link leads to its thread.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from services.notices.enquiries.refusals import NoSuchGuestEnquiry
from services.notices.enquiries.rules.enquiries import Enquiry, State

CONFIRM_WITHIN = timedelta(hours=24)
"""Time to confirm an address. After it, the question is deleted."""
MOST_UNCONFIRMED = 3
"""Number of e-mails to confirm that an address gets within CONFIRM_WITHIN, unless it confirms."""
MOST_OPEN = 10
"""Number of open enquiries that one address may have."""
KEPT_DAYS = 90
"""Days after its last change for which an enquiry in one of ENDED is kept."""
ENDED: Sequence[State] = ("waiting", "answered", "closed")
"""The states in which an enquiry does not wait for the library."""


@dataclass(frozen=True)
class Question:
    """The words of a guest, before the address is confirmed."""

    subject: str
    text: str = field(repr=False)


@dataclass(frozen=True)
class Guest:
    """A guest of one enquiry, with the address for its answers."""

    id: str
    """Also the id of the enquiry, once it is confirmed."""
    version: int
    mailbox: str
    """Id of the mailbox, by which the e-mails to confirm are limited."""
    digest: str
    """Keyed digest of the address, by which two enquiries of one guest are recognised."""
    address: bytes = field(repr=False)
    """The e-mail address, sealed."""
    language: str
    asked_at: datetime
    question: Question | None
    """None as soon as the address is confirmed."""
    expires_at: datetime | None
    """Wall clock; the database deletes an unconfirmed question then. None: confirmed."""


@dataclass(frozen=True)
class Asked:
    """A question whose e-mail to confirm was sent to a mailbox."""

    guest_id: str
    at: datetime


@dataclass(frozen=True)
class Mailbox:
    """The e-mails to confirm that a mailbox was sent lately; it is known by a digest only."""

    id: str
    version: int
    asked: tuple[Asked, ...]
    recorded_at: datetime
    """Wall clock; the database deletes it CONFIRM_WITHIN later."""


def mailbox_name(address: str) -> str:
    """Return the mailbox that an address most likely reaches, to limit the e-mails to it.

    Many providers ignore dots and what follows a plus sign.
    """
    name, _, host = address.casefold().rpartition("@")
    return f"{name.partition('+')[0].replace('.', '')}@{host}"


def with_question(
    mailbox: Mailbox | None, mailbox_id: str, asked: Asked, recorded_at: datetime
) -> Mailbox | None:
    """Return the mailbox with one more e-mail to confirm; None if it has had enough of them."""
    recent = _recent(mailbox, asked.at)
    if len(recent) >= MOST_UNCONFIRMED:
        return None
    version = mailbox.version + 1 if mailbox else 1
    return Mailbox(mailbox_id, version, (*recent, asked), recorded_at)


def without_question(mailbox: Mailbox, guest_id: str, recorded_at: datetime) -> Mailbox:
    """Return the mailbox without a question that is confirmed, so that it no longer counts."""
    left = tuple(one for one in mailbox.asked if one.guest_id != guest_id)
    return replace(mailbox, version=mailbox.version + 1, asked=left, recorded_at=recorded_at)


def check_usable(guest: Guest | None, now: datetime) -> Guest:
    """Return the guest of a link. Raises NoSuchGuestEnquiry if its time to confirm is over."""
    if guest is None or is_expired(guest, now):
        raise NoSuchGuestEnquiry
    return guest


def is_expired(guest: Guest, now: datetime) -> bool:
    """Return whether the address was not confirmed in time."""
    return guest.question is not None and now >= guest.asked_at + CONFIRM_WITHIN


def confirmed(guest: Guest) -> Guest:
    """Return the guest with a confirmed address; the question is then in the enquiry."""
    return replace(guest, version=guest.version + 1, question=None, expires_at=None)


def enquiry_of(guest: Guest, question: Question, now: datetime) -> Enquiry:
    """Return the new enquiry of a guest."""
    return Enquiry(
        id=guest.id,
        version=1,
        patron_id=None,
        guest=guest.digest,
        subject=question.subject,
        language=guest.language,
        opened_at=now,
        changed_at=now,
    )


def last_purged(now: datetime) -> datetime:
    """Return the time of the last change up to which enquiries of guests are no longer kept."""
    return now - timedelta(days=KEPT_DAYS)


def is_over(enquiry: Enquiry, now: datetime) -> bool:
    """Return whether a guest's enquiry is no longer kept; one that waits for the library is."""
    return enquiry.state in ENDED and enquiry.changed_at <= last_purged(now)


def _recent(mailbox: Mailbox | None, now: datetime) -> tuple[Asked, ...]:
    asked = mailbox.asked if mailbox else ()
    return tuple(one for one in asked if now < one.at + CONFIRM_WITHIN)
