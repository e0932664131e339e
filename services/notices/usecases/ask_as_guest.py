"""Ask a question as a guest; it waits until its address is confirmed."""

from dataclasses import dataclass, field
from datetime import datetime

from services.notices import store
from services.notices.domain import guest as rules
from services.notices.domain.delivery import CONFIRM, delivery_to_guest
from services.notices.domain.guest import CONFIRM_WITHIN, Asked, Guest, Question
from shared.clock import wall_clock
from shared.ids import new_id
from shared.unit_of_work import Work


@dataclass(frozen=True)
class AskAsGuest:
    """A guest's question, with the address sealed and its digests."""

    question: Question
    language: str
    address: bytes = field(repr=False)
    digest: str
    mailbox: str


def ask_as_guest(work: Work, command: AskAsGuest) -> datetime:
    """Keep the question and queue the e-mail to confirm it; return until when that is possible.

    Nothing is kept for a mailbox that has had enough of these e-mails. The answer is the same, so
    that nobody learns what others have asked.
    """
    until = work.now + CONFIRM_WITHIN
    known = store.guests.get_mailbox(work, command.mailbox)
    asked = Asked(new_id(), work.now)
    mailbox = rules.with_question(known, command.mailbox, asked, wall_clock())
    if mailbox is None:
        return until
    store.guests.save_mailbox(work, mailbox)
    guest = Guest(
        id=asked.guest_id,
        version=1,
        mailbox=command.mailbox,
        digest=command.digest,
        address=command.address,
        language=command.language,
        asked_at=work.now,
        question=command.question,
        expires_at=wall_clock() + CONFIRM_WITHIN,
    )
    store.guests.save(work, guest)
    store.deliveries.save(work, delivery_to_guest(guest.id, CONFIRM, 0, wall_clock()))
    return until
