"""Wiring of the gateway."""

from fastapi import FastAPI

from services.gateway import consumers, examples, jobs, routes
from services.gateway.edge import middleware, openapi, proxy
from services.gateway.edge.liveness import Liveness
from services.gateway.paia import methods
from services.gateway.paia.answers import Answers
from services.gateway.settings import Settings
from services.gateway.sip2 import connections
from services.gateway.views import ended_sessions, own_writes, rebuild, stream
from services.gateway.views.overviews import OverviewService
from services.gateway.views.store.schema import INDEXES
from services.gateway.web import site
from services.registry import OWNERS
from shared.deadlines import last_resort
from shared.http.app import create_service_app
from shared.http.service import Service

SUBSCRIPTIONS = consumers.subscriptions
JOBS = jobs.jobs


def create_app(settings: Settings) -> FastAPI:
    """Create the gateway as one ASGI app."""
    app = create_service_app(
        Service(
            name="gateway",
            title="Carrel",
            routers=(methods.router, *routes.ROUTERS, *site.ROUTERS),
            operations=(routes.operations,),
            indexes=INDEXES,
            subscriptions=SUBSCRIPTIONS,
            examples=examples.EXAMPLES,
            jobs=JOBS,
            state=_state,
            background=(
                proxy.watch_owners,
                rebuild.keep_whole,
                own_writes.keep_writing,
                ended_sessions.watch_sessions,
                stream.watch,
                stream.stop_in_time,
                connections.listen,
            ),
            health={
                "views": rebuild.views_health,
                "sessions": ended_sessions.sessions_health,
                "owners": proxy.owners_health,
            },
            answers_within=last_resort(proxy.ANSWER_SECONDS),
            takes_long=proxy.takes_long,
            largest_body=middleware.largest_of_callers(settings),
        ),
        settings,
    )
    site.add_pages(app)
    middleware.protect(app, settings)
    app.add_middleware(Answers, settings=settings)
    # FastAPI's own document covers this process alone; routes.py serves the merged one.
    app.router.routes[:] = [
        route for route in app.router.routes if getattr(route, "name", "") != "openapi"
    ]
    return app


def _state(app: FastAPI) -> None:
    app.state.subscriptions = consumers.subscriptions
    settings: Settings = app.state.settings
    app.state.liveness = Liveness({owner: settings.urls_of(owner) for owner in OWNERS})
    app.state.owners.addresses_of = app.state.liveness.addresses_of
    app.state.documents = openapi.Documents()
    app.state.own_writes = own_writes.OwnWrites(app)
    app.state.overviews = OverviewService(app)
    app.state.streams = stream.Streams()
