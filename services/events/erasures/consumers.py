"""Consumers of erasures: the patron's registrations, applications and bookings end."""

from services.events.activities import queries as activities_queries
from services.events.activities.commands.registrations import purge_registration
from services.events.bookings import store as bookings_store
from services.events.bookings.commands import purge_booking
from services.events.patrons import store as patrons_store
from services.events.seasons.commands.applications import purge_application
from services.events.seasons.store import seasons as seasons_store
from shared.bus.subscriptions import Subscriptions
from shared.clock import library_day
from shared.contracts.accounts import PatronErased
from shared.unit_of_work import Run, Work


def note_erasure(work: Work, event: PatronErased) -> None:
    """Store a tombstone of the patron, and delete the bookings that closures ended.

    The caller then ends the patron's registrations and bookings.
    """
    patrons_store.erase_patron(work, event.patron_id)
    bookings_store.delete_closed_of(work, event.patron_id)


subscriptions = Subscriptions()


@subscriptions.to(PatronErased)
async def purge_patron(event: PatronErased, run: Run) -> None:
    """Stop an erased patron from registering, then end what they have.

    Each of these ends in a transaction after the one that processes the event. If the process
    stops in between, the event is delivered again and the remaining ones end then.
    """
    await run(note_erasure, event)
    for registration in await activities_queries.registrations_of(run.database, event.patron_id):
        await run.in_steps()(purge_registration, registration.id)
    today = library_day(run.now, run.settings.zone)
    for application in await seasons_store.find_applications_of(run.database, event.patron_id):
        await run.in_steps()(purge_application, application.id, today)
    for booking in await bookings_store.find_of(run.database, event.patron_id):
        await run.in_steps()(purge_booking, booking.id)
