"""Consumers of the events that the service subscribes to."""

from services.events import queries, store
from services.events.usecases.end_booking import purge_booking
from services.events.usecases.note_calendar import note_calendar
from services.events.usecases.note_erasure import note_erasure
from services.events.usecases.purge_registration import PurgeRegistration, purge_registration
from services.events.usecases.withdraw_application import PurgeApplication, purge_application
from shared.bus.subscriptions import Subscriptions
from shared.clock import library_day
from shared.contracts.accounts import PatronErased
from shared.contracts.notices import (
    BranchClosed,
    BranchClosureChanged,
    BranchHoursChanged,
    BranchRegistered,
    BranchReopened,
    BranchSnapshot,
)
from shared.unit_of_work import Run

subscriptions = Subscriptions()


@subscriptions.to(
    BranchRegistered, BranchClosed, BranchReopened, BranchClosureChanged, BranchHoursChanged
)
async def keep_calendar(event: BranchSnapshot, run: Run) -> None:
    """Store a branch's calendar. A job then lets bookings and places follow it."""
    await run(note_calendar, event)


@subscriptions.to(PatronErased)
async def purge_patron(event: PatronErased, run: Run) -> None:
    """Stop an erased patron from registering, then end what they have.

    Each of these ends in a transaction after the one that processes the event. If the process
    stops in between, the event is delivered again and the remaining ones end then.
    """
    await run(note_erasure, event)
    for registration in await queries.registrations_of(run.database, event.patron_id):
        await run.in_steps()(purge_registration, PurgeRegistration(registration.id))
    today = library_day(run.now, run.settings.zone)
    for application in await store.seasons.find_applications_of(run.database, event.patron_id):
        await run.in_steps()(purge_application, PurgeApplication(application.id, today))
    for booking in await store.bookings.find_of(run.database, event.patron_id):
        await run.in_steps()(purge_booking, booking.id)
