"""Store a patron as accounts has published them, with the card that accounts names when asked.

No event has the card: it would stay on the topic and in the outbox after the patron's erasure.
"""

from services.circulation.domain.patron import Patron, blocked_elsewhere
from services.circulation.usecases.commands.note_patron import NotePatron, note_patron
from services.circulation.usecases.workflows.ask_accounts import ask_for_patron
from shared.contracts.accounts import PatronSnapshot
from shared.owners import OwnerBehind
from shared.unit_of_work import Run


async def follow_patron(run: Run, event: PatronSnapshot) -> None:
    """Store the patron, or the newer state that accounts has.

    Raises OwnerAway, or OwnerBehind while accounts has an older state than its event.
    """
    erased = event.status == "erased"
    told = Patron(
        id=event.patron_id,
        category="" if erased else event.category,
        blocked=blocked_elsewhere(event.status, event.blocked_by),
        version=event.version,
        card_digest="" if erased else event.card_digest,
    )
    if not erased and not event.card_digest:  # events of earlier releases have it
        # Without an answer the patron was erased meanwhile, and that event follows.
        known = await ask_for_patron(run.owners, event.patron_id, run.now)
        if known is not None and known.version < event.version:
            raise OwnerBehind("accounts")
        told = known or told
    await run(note_patron, NotePatron(told, erased))
