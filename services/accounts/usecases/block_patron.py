"""Stop a patron from borrowing."""

from dataclasses import dataclass, field, replace

from services.accounts import store
from services.accounts.domain.patron import Patron, block
from services.accounts.domain.refusals import NoSuchPatron
from services.accounts.usecases.end_sessions import end_all
from services.accounts.usecases.patron_events import record_block_event
from shared.unit_of_work import Work


@dataclass(frozen=True)
class BlockPatron:
    """A patron to block; the reason is in the staff's words and is not published."""

    patron_id: str
    reason: str = field(repr=False)


def block_patron(work: Work, command: BlockPatron) -> Patron:
    """Block the patron, end their sessions and return the new state.

    A blocked patron may log in again. Raises NoSuchPatron or AlreadyBlocked.
    """
    patron = store.patron(work, command.patron_id)
    holder = store.cardholder(work, command.patron_id)
    if patron is None or holder is None:
        raise NoSuchPatron
    blocked = block(patron)
    store.save_patrons(work, blocked)
    store.save_cardholders(
        work, replace(holder, status_reason=command.reason, version=holder.version + 1)
    )
    end_all(work, patron.id)
    record_block_event(work, patron, blocked)
    return blocked
