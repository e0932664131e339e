"""What events hears."""

from services.events import queries
from services.events.usecases.forget_registration import ForgetRegistration, forget_registration
from services.events.usecases.note_erasure import note_erasure
from shared.bus import Hears
from shared.contracts.accounts import PatronErased
from shared.unit_of_work import Run

hears = Hears()


@hears(PatronErased)
async def forget_patron(event: PatronErased, run: Run) -> None:
    """Let an erased patron register no more, then end what they had registered for.

    Each end is a transaction after the one that takes the event in; if this process ends between
    them the event comes again, and what is left is ended.
    """
    await run(note_erasure, event)
    for registration in await queries.registrations_of(run.database, event.patron_id):
        await run.in_steps()(forget_registration, ForgetRegistration(registration.id))
