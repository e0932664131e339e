"""The app of every service: its parts wired together, and the roles that the process runs."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import structlog
from fastapi import FastAPI

from shared.audit_seals import keep_sealed
from shared.auth import Verifier, keys_from
from shared.bus.listener import Listener
from shared.clock import bound_dates
from shared.data_keys import data_keys_of, settle
from shared.declared_indexes import ensure_indexes
from shared.http.health import add_health, readiness
from shared.http.middleware import RequestMiddleware
from shared.http.openapi import document_of
from shared.http.operations import (
    add_audit_trail,
    add_jobs,
    add_personal_data,
    add_snapshots,
    add_status,
)
from shared.http.problems import add_problems
from shared.http.service import Service
from shared.indexes import chassis_indexes
from shared.jobs import keep_schedule
from shared.mongo import Client, Database, connect
from shared.owners import Owners
from shared.processes import keep_noted
from shared.relay import Relay
from shared.restoring import is_restoring
from shared.settings import Settings
from shared.supervision import Supervisor
from shared.telemetry import configure_logs
from shared.tracing import configure_tracing
from shared.unit_of_work import UnitOfWork

log = structlog.get_logger()


def create_service_app(service: Service, settings: Settings) -> FastAPI:
    """Return the whole service as one ASGI app that runs the roles in the settings."""
    configure_logs(service.name, settings.replica, settings.log_level)
    configure_tracing(service.name, settings.replica)
    bound_dates(settings.date_years)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        _assemble(app, service, settings)
        app.state.operations = operations
        work = asyncio.create_task(_work(app, service, settings))
        try:
            yield
        finally:
            work.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await work
            await app.state.owners.close()
            app.state.client.close()

    app = FastAPI(
        title=service.title,
        version="1.0.0",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        # The middleware makes the spans and metrics of a request: FastAPI's own would double them.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    operations = add_health(app, service, settings)  # first: it is asked for every second
    if "api" in settings.roles:
        add_status(app, service)
        add_jobs(app, service)  # before routes that match every other path
        add_snapshots(app, service)
        add_personal_data(app, service)
        add_audit_trail(app, service)
        # Not by include_router: FastAPI would build each route again at the first request.
        for router in service.routers:
            app.router.routes.extend(router.routes)
    add_problems(app)
    app.add_middleware(RequestMiddleware, service=service)
    app.openapi = lambda: _openapi(app, service, settings)  # type: ignore[method-assign]
    return app


def _assemble(app: FastAPI, service: Service, settings: Settings) -> None:
    client: Client = connect(settings.mongo_url)
    database: Database = client[f"{settings.database_prefix}_{service.name}"]
    state = app.state
    state.settings, state.client, state.database = settings, client, database
    state.callers = settings.callers.get(service.name, {})
    state.owners = Owners(settings, service.name)
    state.unit_of_work = UnitOfWork(database, service.name, settings, state.owners)
    fetch = (
        service.keys(database)
        if service.keys
        else keys_from(lambda: state.owners.session, settings, database)
    )
    state.verifier = Verifier(fetch, settings.issuer.service)
    state.listener = Listener(service.name, settings, service.subscriptions, state.unit_of_work)
    state.supervisor = Supervisor(
        give_up=getattr(state, "give_up", lambda: None),
        stopping=lambda: hasattr(state, "stopping") and state.stopping.is_set(),
    )
    state.stored = False
    service.state(app)


async def _work(app: FastAPI, service: Service, settings: Settings) -> None:
    """Create the indexes, then run the roles until the service stops."""
    database: Database = app.state.database
    while True:
        try:
            if await is_restoring(database):
                log.critical("restore has not ended", reason="run carrel restore from to its end")
                getattr(app.state, "give_up", lambda: None)()
                return
            await ensure_indexes(
                database, {**chassis_indexes(settings.outbox_days), **service.indexes}
            )
            faults = await settle(database, data_keys_of(settings, service.data_keys))
            break
        except Exception as error:  # noqa: BLE001 - without indexes nothing else starts
            log.warning("waiting for the database", error=type(error).__name__)
            await asyncio.sleep(0.5)
    if faults:
        log.critical("wrong key", reason=" ".join(faults))
        getattr(app.state, "give_up", lambda: None)()
        return
    app.state.stored = True
    supervisor: Supervisor = app.state.supervisor
    unit_of_work: UnitOfWork = app.state.unit_of_work
    for run in service.background:
        supervisor.start(run.__name__, partial(run, app))
    supervisor.start("keep_keys", app.state.verifier.keep_renewed)

    async def report() -> dict[str, Any]:
        found, _ = await readiness(app, service, settings)
        return {"status": found["status"], "checks": found["checks"]}

    supervisor.start(
        "keep_noted",
        partial(keep_noted, database, settings.replica, sorted(settings.roles), report),
    )
    if "relay" in settings.roles:
        relay = Relay(database, settings, service.name, unit_of_work.event_commits)
        supervisor.start("relay", relay.run)
    if "consumers" in settings.roles and service.subscriptions.by_topic:
        supervisor.start("listener", app.state.listener.run)
    if "jobs" in settings.roles:
        keys = settings.audit_keys
        supervisor.start(
            "sealer",
            partial(keep_sealed, database, keys, settings.audit_days, unit_of_work.commits),
        )
    if "jobs" in settings.roles and service.jobs.by_name:
        supervisor.start(
            "jobs",
            partial(keep_schedule, service.jobs, unit_of_work, simulation=settings.simulation),
        )
    try:
        await asyncio.Event().wait()
    finally:
        await supervisor.stop()


def _openapi(app: FastAPI, service: Service, settings: Settings) -> dict[str, Any]:
    """Return the OpenAPI document of this service, made once."""
    if app.openapi_schema is None:
        app.openapi_schema = document_of(app, service.examples, settings.issuer.log_in)
    return app.openapi_schema
