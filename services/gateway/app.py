"""Wiring of the gateway."""

from fastapi import FastAPI

from services.gateway import (
    consumers,
    deadlines,
    edge,
    examples,
    jobs,
    own_writes,
    proxy,
    rebuild,
    routes,
    store,
    stream,
)
from services.gateway.account import Accounts
from services.gateway.liveness import Liveness
from services.gateway.settings import Settings
from services.gateway.web import site
from shared.http.app import create_service_app
from shared.http.service import Service
from shared.settings import load


def create_app(settings: Settings | None = None) -> FastAPI:
    """Create the gateway as one ASGI app."""
    settings = settings or load(Settings)
    app = create_service_app(
        Service(
            name="gateway",
            title="Carrel",
            routers=(routes.router, *site.ROUTERS),
            indexes=store.INDEXES,
            subscriptions=consumers.subscriptions,
            examples=examples.EXAMPLES,
            jobs=jobs.jobs,
            background=(
                proxy.watch_owners,
                rebuild.keep_whole,
                own_writes.keep_writing,
                stream.watch,
                stream.stop_in_time,
            ),
            health={"views": rebuild.views_health},
            answers_within=proxy.ANSWER_SECONDS,
            takes_long=deadlines.takes_long,
        ),
        settings,
    )
    site.add_pages(app)
    edge.protect(app, settings)
    # FastAPI's own document covers this process alone; routes.py serves the merged one.
    app.router.routes[:] = [
        route for route in app.router.routes if getattr(route, "name", "") != "openapi"
    ]
    app.state.liveness = Liveness()
    app.state.documents = proxy.Documents()
    app.state.own_writes = own_writes.OwnWrites(app)
    app.state.accounts = Accounts(app)
    app.state.streams = stream.Streams()
    return app
