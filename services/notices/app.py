"""Wiring of the notices service."""

from fastapi import FastAPI

from services.notices import consumers, examples, jobs, routes, snapshots, store
from services.notices.domain.refusals import Refusal
from services.notices.settings import Settings
from services.uploads import largest_body
from shared.http.app import create_service_app
from shared.http.service import Service
from shared.settings import load

JOBS = jobs.jobs


def create_app(settings: Settings | None = None) -> FastAPI:
    """Create the notices service as one ASGI app."""
    settings = settings or load(Settings)
    return create_service_app(
        Service(
            name="notices",
            title="Notices",
            routers=routes.ROUTERS,
            indexes=store.INDEXES,
            snapshots=snapshots.OF_ALL,
            snapshots_of_patrons=snapshots.OF_PATRONS,
            personal=store.PERSONAL,
            refusal=Refusal,
            subscriptions=consumers.subscriptions,
            jobs=JOBS,
            largest_body=largest_body(settings),
            examples=examples.EXAMPLES,
        ),
        settings,
    )
