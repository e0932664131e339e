"""Lift the staff's block of a patron."""

from dataclasses import dataclass, field, replace

from services.accounts import store
from services.accounts.domain.patron import Patron, unblock
from services.accounts.domain.refusals import NoSuchPatron
from services.accounts.usecases.patron_events import record_block_event
from shared.unit_of_work import Work


@dataclass(frozen=True)
class UnblockPatron:
    """A patron to unblock; the reason is in the staff's words and is not published."""

    patron_id: str
    reason: str = field(repr=False)


def unblock_patron(work: Work, command: UnblockPatron) -> Patron:
    """Lift the staff's block and return the new state. Raises NoSuchPatron or NotBlocked."""
    patron = store.patron(work, command.patron_id)
    holder = store.cardholder(work, command.patron_id)
    if patron is None or holder is None:
        raise NoSuchPatron
    unblocked = unblock(patron)
    store.save_patrons(work, unblocked)
    store.save_cardholders(
        work, replace(holder, status_reason=command.reason, version=holder.version + 1)
    )
    record_block_event(work, patron, unblocked)
    return unblocked
