"""Health checks, metrics and the AsyncAPI document: for operators, on a port of their own.

The port of the API only tells whether the process answers, for the services that call it.
"""

import asyncio
import contextlib
from typing import Any

import pymongo
from fastapi import APIRouter, FastAPI, Response
from prometheus_client import CONTENT_TYPE_LATEST, Gauge, generate_latest
from pymongo.errors import PyMongoError

from shared.bus.dead_letters import count_waiting
from shared.clock import SKEW_SECONDS
from shared.deadlines import allowed
from shared.http.dependencies import STORE_SECONDS
from shared.http.service import Service
from shared.mongo import clock_skew
from shared.processes import AUDIT, BACKUP, find_runs
from shared.relay import outbox_age, outbox_pending
from shared.settings import Settings

OUTBOX_AGE_LIMIT = 60.0
PENDING_AGE = Gauge("carrel_outbox_age_seconds", "Age of the oldest row not yet published")
WAITING = Gauge("carrel_dead_letters_waiting", "Dead letters about which nobody has decided")
PENDING = Gauge("carrel_outbox_pending_events", "Rows not yet published, counted up to 10,000")
AUDITED = Gauge("carrel_audit_timestamp_seconds", "End of the last audit; 0 where none is noted")
FINDINGS = Gauge("carrel_audit_findings", "Findings of the last audit")
BACKED_UP = Gauge(
    "carrel_backup_timestamp_seconds", "Instant of the data of the last backup; 0: none is noted"
)


def add_health(app: FastAPI, service: Service, settings: Settings) -> FastAPI:
    """Add the route that says whether the process answers; return the app for operators."""
    alive = APIRouter()

    @alive.get("/health/live", include_in_schema=False)
    async def live(response: Response) -> dict[str, str]:
        if is_draining(app):
            response.status_code = 503
            return {"status": "stopping"}
        return {"status": "alive"}

    app.include_router(alive)
    operations = FastAPI(
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    operations.state = app.state
    operations.include_router(alive)
    for router in service.operations:
        operations.include_router(router)
    _add_details(operations, app, service, settings)
    return operations


def is_draining(app: FastAPI) -> bool:
    """Return whether the process was told to stop, and answers only until callers know."""
    draining: asyncio.Event | None = getattr(app.state, "draining", None)
    return draining is not None and draining.is_set()


def _add_details(operations: FastAPI, app: FastAPI, service: Service, settings: Settings) -> None:
    @operations.get("/health/ready")
    async def ready(response: Response) -> dict[str, Any]:
        report, fit = await readiness(app, service, settings)
        response.status_code = 200 if fit else 503
        return report

    @operations.get("/metrics")
    async def metrics() -> Response:
        with contextlib.suppress(PyMongoError), pymongo.timeout(allowed(STORE_SECONDS)):
            PENDING_AGE.set(await outbox_age(app.state.database))
            PENDING.set(await outbox_pending(app.state.database))
            WAITING.set(await count_waiting(app.state.database))
            runs = await find_runs(app.state.database)
            if audit := runs.get(AUDIT):
                AUDITED.set(audit.at.timestamp())
                FINDINGS.set(audit.done)
            if backup := runs.get(BACKUP):
                BACKED_UP.set(backup.at.timestamp())
        await app.state.listener.measure_lag()
        app.state.listener.held()
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    @operations.get("/asyncapi")
    async def asyncapi() -> Any:
        return app.state.listener.specification()


async def readiness(
    app: FastAPI, service: Service, settings: Settings
) -> tuple[dict[str, Any], bool]:
    """Return the state of each part, and whether this process can fill its roles.

    If the broker is away, an API stays ready: commands still commit, and their events wait in
    the outbox. A process that only consumes or relays becomes unready.
    """
    checks: dict[str, str] = {}
    age = skew = 0.0
    needed: dict[str, tuple[bool, str]] = {}
    try:
        with pymongo.timeout(allowed(STORE_SECONDS)):
            age = await outbox_age(app.state.database)
            skew = await clock_skew(app.state.client)
            if "api" in settings.roles:
                needed = {name: await look(app) for name, look in service.health.items()}
        checks["database"] = "ok" if app.state.stored else "preparing indexes"
    except PyMongoError:
        checks["database"] = "away"
    right = abs(skew) < SKEW_SECONDS
    way = "ahead of" if skew > 0 else "behind"
    checks["clock"] = "ok" if right else f"{abs(skew):.0f} s {way} the database's"
    fit = right and checks["database"] == "ok" and all(ready for ready, _ in needed.values())
    checks |= {name: said for name, (_, said) in needed.items()}
    lacking = any(said != "ok" for _, said in needed.values())
    if failing := app.state.supervisor.failing():
        checks["tasks"], fit = failing, False
    late = age > OUTBOX_AGE_LIMIT
    checks["outbox"] = f"oldest row has waited {age:.1f} s"
    alive, checks["consumer"] = (True, "none")
    waiting = False
    if "consumers" in settings.roles and service.subscriptions.by_topic:
        alive, checks["consumer"] = app.state.listener.health()
        waiting = checks["consumer"] != "listening"
        fit = fit and alive
        if held := app.state.listener.held():
            checks["held"] = "; ".join(str(message) for message in held)
    if "api" not in settings.roles and (waiting or (late and "relay" in settings.roles)):
        fit = False
    degraded = late or waiting or lacking or "held" in checks
    if is_draining(app):
        checks["process"], fit = "stopping", False
    status = "unready" if not fit else "degraded" if degraded else "ready"
    report = {
        "status": status,
        "service": service.name,
        "checks": checks,
        "outbox_seconds": round(age, 3),
    }
    return report, fit
