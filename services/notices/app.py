"""Assembly of the notices service."""

from fastapi import FastAPI

from services.notices import examples, snapshots
from services.notices.branches import store as branches_store
from services.notices.branches.routes import branches as branches_routes
from services.notices.branches.routes import hours as hours_routes
from services.notices.channels import jobs as channels_jobs
from services.notices.channels.routes import deliveries as deliveries_routes
from services.notices.channels.routes import devices as devices_routes
from services.notices.channels.routes import webhooks as webhooks_routes
from services.notices.channels.store import deliveries as deliveries_store
from services.notices.channels.store import devices as devices_store
from services.notices.channels.store import letters as letters_store
from services.notices.channels.store import webhooks as webhooks_store
from services.notices.closures import routes as closures_routes
from services.notices.closures import store as closures_store
from services.notices.enquiries import jobs as enquiries_jobs
from services.notices.enquiries.routes import attachments as attachments_routes
from services.notices.enquiries.routes import bank as bank_routes
from services.notices.enquiries.routes import enquiries as enquiries_routes
from services.notices.enquiries.routes import guests as guests_routes
from services.notices.enquiries.store import attachments as attachments_store
from services.notices.enquiries.store import bank as bank_store
from services.notices.enquiries.store import enquiries as enquiries_store
from services.notices.enquiries.store import guests as guests_store
from services.notices.messages import consumers
from services.notices.messages import store as messages_store
from services.notices.messages.jobs import devices as devices_jobs
from services.notices.messages.jobs import held as held_jobs
from services.notices.messages.jobs import mail as mail_jobs
from services.notices.messages.routes import inbox as inbox_routes
from services.notices.messages.routes import letters as letters_routes
from services.notices.messages.routes import wordings as wordings_routes
from services.notices.notices import jobs as notices_jobs
from services.notices.notices import store as notices_store
from services.notices.notices.routes import feeds as feeds_routes
from services.notices.notices.routes import notices as notices_routes
from services.notices.patrons import store as patrons_store
from services.notices.settings import Settings
from services.notices.visits import jobs as visits_jobs
from services.notices.visits import store as visits_store
from services.notices.visits.routes import tracing as tracing_routes
from services.notices.visits.routes import visits as visits_routes
from services.uploads import largest_body
from shared import folded_terms
from shared.bus.subscriptions import Subscriptions
from shared.declared_indexes import Indexes
from shared.http.app import create_service_app
from shared.http.service import Service
from shared.jobs import Jobs

INDEXES: Indexes = {
    **patrons_store.INDEXES,
    **branches_store.INDEXES,
    **closures_store.INDEXES,
    **notices_store.INDEXES,
    **deliveries_store.INDEXES,
    **devices_store.INDEXES,
    **letters_store.INDEXES,
    **webhooks_store.INDEXES,
    **enquiries_store.INDEXES,
    **attachments_store.INDEXES,
    **bank_store.INDEXES,
    **guests_store.INDEXES,
    **visits_store.INDEXES,
    **messages_store.INDEXES,
    **folded_terms.INDEXES,
}
SUBSCRIPTIONS = Subscriptions(consumers.subscriptions)
JOBS = Jobs(
    mail_jobs.jobs,
    held_jobs.jobs,
    devices_jobs.jobs,
    channels_jobs.jobs,
    enquiries_jobs.jobs,
    notices_jobs.jobs,
    visits_jobs.jobs,
)


def create_app(settings: Settings) -> FastAPI:
    """Create the notices service as one ASGI app."""
    return create_service_app(
        Service(
            name="notices",
            title="Notices",
            routers=(
                attachments_routes.router,
                bank_routes.router,
                branches_routes.router,
                hours_routes.router,
                closures_routes.router,
                deliveries_routes.router,
                enquiries_routes.router,
                feeds_routes.router,
                guests_routes.router,
                notices_routes.router,
                inbox_routes.router,
                letters_routes.router,
                tracing_routes.router,
                visits_routes.router,
                webhooks_routes.router,
                devices_routes.router,
                wordings_routes.router,
            ),
            indexes=INDEXES,
            snapshots=snapshots.OF_ALL,
            snapshots_of_patrons=snapshots.OF_PATRONS,
            personal=(
                *patrons_store.PERSONAL,
                *deliveries_store.PERSONAL,
                *devices_store.PERSONAL,
                *webhooks_store.PERSONAL,
                *enquiries_store.PERSONAL,
                *attachments_store.PERSONAL,
            ),
            subscriptions=SUBSCRIPTIONS,
            jobs=JOBS,
            largest_body=largest_body(settings),
            examples=examples.EXAMPLES,
        ),
        settings,
    )
