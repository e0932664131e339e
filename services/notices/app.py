"""Wiring of the notices service."""

from fastapi import FastAPI

from services.notices import consumers, examples, routes, snapshots, store
from services.notices.domain.refusals import Refusal
from services.notices.jobs import jobs
from services.notices.settings import Settings
from shared.http.app import create_service_app
from shared.http.service import Service
from shared.settings import load


def create_app(settings: Settings | None = None) -> FastAPI:
    """Create the notices service as one ASGI app."""
    return create_service_app(
        Service(
            name="notices",
            title="Notices",
            routers=(routes.router,),
            indexes=store.INDEXES,
            snapshots=snapshots.OF_ALL,
            snapshots_of_patrons=snapshots.OF_PATRONS,
            refusal=Refusal,
            subscriptions=consumers.subscriptions,
            jobs=jobs,
            examples=examples.EXAMPLES,
        ),
        settings or load(Settings),
    )
