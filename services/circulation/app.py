"""Assembly of the circulation service."""

from fastapi import FastAPI

from services.circulation import consumers, examples, jobs, routes, snapshots, store
from services.circulation.domain.refusals import Refusal
from services.circulation.settings import Settings
from shared.http.app import create_service_app
from shared.http.service import Service
from shared.settings import load


def create_app(settings: Settings | None = None) -> FastAPI:
    """Create the service's ASGI app; the settings default to those of the environment."""
    return create_service_app(
        Service(
            name="circulation",
            title="Circulation",
            routers=(routes.router,),
            indexes=store.INDEXES,
            snapshots=snapshots.OF_ALL,
            snapshots_of_patrons=snapshots.OF_PATRONS,
            refusal=Refusal,
            statuses={
                "no-such-card": 404,
                "no-such-charge": 404,
                "no-such-hold": 404,
                "no-such-loan": 404,
                "no-such-patron": 404,
                "no-such-conflict": 404,
                "no-such-payment": 404,
                "no-such-policy": 404,
                "no-such-suspension": 404,
                "no-such-title": 404,
                "unknown-branch": 404,
            },
            subscriptions=consumers.subscriptions,
            examples=examples.EXAMPLES,
            jobs=jobs.jobs,
        ),
        settings or load(Settings),
    )
