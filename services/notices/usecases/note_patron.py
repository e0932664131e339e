"""Record a change of a patron in accounts; delete the data of an erased patron."""

from services.notices import store
from services.notices.domain import patron as rules
from services.notices.domain.patron import Patron
from shared.contracts.accounts import PatronSnapshot
from shared.idempotency import delete_responses
from shared.unit_of_work import Work


def note_patron(work: Work, event: PatronSnapshot) -> None:
    """Store the language by the highest version. Erased: delete their data, leave a tombstone."""
    known = store.patrons.get(work, event.patron_id)
    patron = known or Patron(event.patron_id, version=0)
    if patron.erased:
        return
    if event.status == "erased":
        store.notifications.delete_inbox(work, patron.id)
        store.deliveries.delete_of_patron(work, patron.id)
        store.devices.delete_of_patron(work, patron.id)
        store.webhooks.delete_of_patron(work, patron.id)
        store.enquiries.delete_of_patron(work, patron.id)
        store.attachments.delete_of_patron(work, patron.id)
        store.bank.delete_votes(work, patron.id)
        delete_responses(work, patron.id)
        store.patrons.save(work, rules.erased(patron))
        return
    noted = rules.seen(patron, event.version, event.language)
    if noted is not patron:
        store.patrons.save(work, noted)
