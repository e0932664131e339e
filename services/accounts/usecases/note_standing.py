"""Block a patron who owes too much, and unblock them once the debt is paid."""

from services.accounts import store
from services.accounts.domain.patron import stand
from services.accounts.domain.standing import Standing
from services.accounts.usecases.patron_events import record_block_event
from shared.contracts.circulation import ChargeSnapshot
from shared.unit_of_work import Work


def note_standing(work: Work, event: ChargeSnapshot) -> None:
    """Block or unblock the patron by the newest standing. A block by the staff stays."""
    patron = store.patron(work, event.patron_id)
    if patron is None or event.standing is None:
        return
    standing = Standing(patron.id, event.standing.version, event.standing.blocked)
    if not store.note_standing(work, standing):
        return
    standing_now = stand(patron, owes_too_much=standing.owes_too_much)
    if standing_now is not patron:
        store.save_patrons(work, standing_now)
        record_block_event(work, patron, standing_now)
