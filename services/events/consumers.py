"""Consumers of the events that the service subscribes to."""

from services.events import queries
from services.events.usecases.note_erasure import note_erasure
from services.events.usecases.purge_registration import PurgeRegistration, purge_registration
from shared.bus.subscriptions import Subscriptions
from shared.contracts.accounts import PatronErased
from shared.unit_of_work import Run

subscriptions = Subscriptions()


@subscriptions.to(PatronErased)
async def purge_patron(event: PatronErased, run: Run) -> None:
    """Stop an erased patron from registering, then end the patron's registrations.

    Each registration ends in a transaction after the one that processes the event. If the process
    stops in between, the event is delivered again and the remaining registrations end then.
    """
    await run(note_erasure, event)
    for registration in await queries.registrations_of(run.database, event.patron_id):
        await run.in_steps()(purge_registration, PurgeRegistration(registration.id))
