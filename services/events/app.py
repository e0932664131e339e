"""Assembly of the events service."""

from fastapi import FastAPI

from services.events import consumers, examples, jobs, routes, snapshots, store
from services.events.domain.refusals import Refusal
from services.events.settings import Settings
from shared.http.app import create_service_app
from shared.http.service import Service
from shared.settings import load


def create_app(settings: Settings | None = None) -> FastAPI:
    """Create the service's ASGI app; the settings default to those of the environment."""
    return create_service_app(
        Service(
            name="events",
            title="Events",
            routers=routes.ROUTERS,
            indexes=store.INDEXES,
            snapshots=snapshots.OF_ALL,
            snapshots_of_patrons=snapshots.OF_PATRONS,
            personal=store.PERSONAL,
            refusal=Refusal,
            subscriptions=consumers.subscriptions,
            examples=examples.EXAMPLES,
            jobs=jobs.jobs,
        ),
        settings or load(Settings),
    )
