"""Block and unblock patrons, by the staff and for debt."""

from dataclasses import replace

from services.accounts.cardholders import store as cardholders_store
from services.accounts.cardholders.rules import Patron
from services.accounts.patrons import store
from services.accounts.patrons.events import record_block_event
from services.accounts.patrons.rules import Standing, block, unblock, with_debt
from services.accounts.sign_in.commands.sessions import end_all
from shared.contracts.circulation import ChargeSnapshot
from shared.unit_of_work import Work


def block_patron(work: Work, patron_id: str, reason: str) -> Patron:
    """Block the patron, end their sessions and return the new state.

    The reason is in the words of the staff and is not published. A blocked patron may log in again.
    Raises NoSuchPatron or AlreadyBlocked.
    """
    patron, holder = cardholders_store.patron_and_holder(work, patron_id)
    blocked = block(patron)
    cardholders_store.save_patrons(work, blocked)
    cardholders_store.save_cardholders(work, replace(holder, status_reason=reason))
    end_all(work, patron.id)
    record_block_event(work, patron, blocked)
    return blocked


def unblock_patron(work: Work, patron_id: str, reason: str) -> Patron:
    """Lift the staff's block and return the new state. Raises NoSuchPatron or NotBlocked."""
    patron, holder = cardholders_store.patron_and_holder(work, patron_id)
    unblocked = unblock(patron)
    cardholders_store.save_patrons(work, unblocked)
    cardholders_store.save_cardholders(work, replace(holder, status_reason=reason))
    record_block_event(work, patron, unblocked)
    return unblocked


def note_standing(work: Work, event: ChargeSnapshot) -> None:
    """Block or unblock the patron by the newest standing. A block by the staff stays."""
    patron = cardholders_store.patron(work, event.patron_id)
    if patron is None or event.standing is None:
        return
    standing = Standing(patron.id, event.standing.version, event.standing.blocked)
    if not store.note_standing(work, standing):
        return
    changed = with_debt(patron, owes_too_much=standing.owes_too_much)
    if changed is not patron:
        cardholders_store.save_patrons(work, changed)
        record_block_event(work, patron, changed)
