"""Assembly of the circulation service."""

from fastapi import FastAPI

from services.circulation import consumers, examples, jobs, routes, snapshots, store
from services.circulation.domain.refusals.refusal import Refusal
from services.circulation.settings import Settings
from shared.data_keys import DataKey
from shared.http.app import create_service_app
from shared.http.service import Service

INDEXES = store.INDEXES
SUBSCRIPTIONS = consumers.subscriptions
JOBS = jobs.jobs


def create_app(settings: Settings) -> FastAPI:
    """Create the service's ASGI app."""
    return create_service_app(
        Service(
            name="circulation",
            title="Circulation",
            routers=routes.ROUTERS,
            indexes=INDEXES,
            snapshots=snapshots.OF_ALL,
            snapshots_of_patrons=snapshots.OF_PATRONS,
            personal=store.PERSONAL,
            refusal=Refusal,
            subscriptions=SUBSCRIPTIONS,
            examples=examples.EXAMPLES,
            jobs=JOBS,
            data_keys=(DataKey("CARREL_CARD_KEY", settings.card_key),),
        ),
        settings,
    )
