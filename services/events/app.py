"""Assembly of the events service."""

from fastapi import FastAPI

from services.events import examples, snapshots
from services.events.activities import jobs as activities_jobs
from services.events.activities import store as activities_store
from services.events.activities.routes import activities as activities_routes
from services.events.activities.routes import feed as feed_routes
from services.events.activities.routes import registrations as registrations_routes
from services.events.bookings import jobs as bookings_jobs
from services.events.bookings import routes as bookings_routes
from services.events.bookings import store as bookings_store
from services.events.calendars import store as calendars_store
from services.events.closures import consumers as closures_consumers
from services.events.closures import jobs as closures_jobs
from services.events.closures import routes as closures_routes
from services.events.erasures import consumers as erasures_consumers
from services.events.patrons import store as patrons_store
from services.events.seasons import jobs as seasons_jobs
from services.events.seasons.routes import applications as applications_routes
from services.events.seasons.routes import seasons as seasons_routes
from services.events.seasons.store import seasons as seasons_store
from services.events.seasons.store import seats as seats_store
from services.settings import Settings
from shared.bus.subscriptions import Subscriptions
from shared.declared_indexes import Indexes
from shared.http.app import create_service_app
from shared.http.service import Service
from shared.jobs import Jobs

INDEXES: Indexes = {
    **activities_store.INDEXES,
    **patrons_store.INDEXES,
    **seasons_store.INDEXES,
    **seats_store.INDEXES,
    **bookings_store.INDEXES,
    **calendars_store.INDEXES,
}
SUBSCRIPTIONS = Subscriptions(erasures_consumers.subscriptions, closures_consumers.subscriptions)
JOBS = Jobs(activities_jobs.jobs, seasons_jobs.jobs, bookings_jobs.jobs, closures_jobs.jobs)


def create_app(settings: Settings) -> FastAPI:
    """Create the service's ASGI app."""
    return create_service_app(
        Service(
            name="events",
            title="Events",
            routers=(
                activities_routes.router,
                feed_routes.router,
                registrations_routes.router,
                seasons_routes.router,
                applications_routes.router,
                bookings_routes.router,
                closures_routes.router,
            ),
            indexes=INDEXES,
            snapshots=snapshots.OF_ALL,
            snapshots_of_patrons=snapshots.OF_PATRONS,
            personal=(
                *patrons_store.PERSONAL,
                *activities_store.PERSONAL,
                *seasons_store.PERSONAL,
                *seats_store.PERSONAL,
                *bookings_store.PERSONAL,
            ),
            subscriptions=SUBSCRIPTIONS,
            examples=examples.EXAMPLES,
            jobs=JOBS,
        ),
        settings,
    )
