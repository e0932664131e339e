"""HTTP: the app of every service, and the dependencies of its routes.

A route parses the request, runs one use case or query, and answers. This module makes problems
(RFC 9457), stored answers for idempotency keys, limits, health checks, metrics and the changes
that an answer carries.
"""

import asyncio
import contextlib
import hmac
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import partial
from typing import Annotated, Any

import orjson
import pymongo
import structlog
from fastapi import APIRouter, Depends, FastAPI, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind
from prometheus_client import CONTENT_TYPE_LATEST, Gauge, generate_latest
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator
from pymongo.errors import PyMongoError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared import unit_of_work
from shared.auth import (
    FetchKeys,
    Forbidden,
    OtherService,
    StaffOrOps,
    Unauthenticated,
    Verifier,
    keys_from,
)
from shared.bus.listener import Listener
from shared.bus.subscriptions import Subscriptions
from shared.clock import SKEW_SECONDS, bound_dates, bounded, parse_instant, wall_clock
from shared.contracts import Event
from shared.ids import new_id
from shared.jobs import Jobs, keep_schedule
from shared.mongo import (
    Client,
    Database,
    Indexes,
    Part,
    clock_skew,
    connect,
    ensure_indexes,
    is_away,
)
from shared.openapi import document_of
from shared.owners import BadId, OwnerAway, OwnerRefused, Owners
from shared.relay import Relay, outbox_age, outbox_pending
from shared.settings import Settings
from shared.supervision import Supervisor
from shared.telemetry import IN_FLIGHT, REQUESTS, configure_logs, correlated
from shared.tracing import configure_tracing, fail, span
from shared.unit_of_work import Busy, KeyReused, Once, Origin, UnitOfWork, chassis_indexes

log = structlog.get_logger()

MAX_BODY = 256 * 1024
MAX_PAGE = 200
MAX_TRACE_STATE = 512
"""Longest `tracestate` that W3C Trace Context requires to be passed on. Each event carries it."""
STORE_SECONDS = 1.5
"""Seconds that the database may take for one request."""
OUTBOX_AGE_LIMIT = 60.0
JOBS = "/v1/ops/jobs/"
PENDING_AGE = Gauge("carrel_outbox_age_seconds", "Age of the oldest row not yet published")
PENDING = Gauge("carrel_outbox_pending_events", "Rows not yet published, counted up to 10,000")


class Body(BaseModel):
    """The base of request bodies: unknown fields and dates too far from today are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*")
    @classmethod
    def _bounded_dates(cls, value: Any) -> Any:
        return bounded(value) if isinstance(value, date) else value


Day = Annotated[date, AfterValidator(bounded)]
"""A day in a query, not too far from today."""


class Problem(BaseModel):
    """A problem (RFC 9457): programs read `code`, people read `detail`."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str = ""
    code: str
    errors: list[dict[str, Any]] | None = None


class JobOut(BaseModel):
    """The result of a job."""

    job: str
    done: int = Field(description="Number of items that the job processed.")


class NotFound(Exception):
    """404: the resource does not exist, or this caller may not know of it."""

    def __init__(self, what: str = "thing") -> None:
        super().__init__(f"There is no such {what}.")
        self.what = what


Told = tuple[Sequence[Event], str | None]
"""Resources in the form of their events, and the id to continue after; None: no more."""
Snapshot = Callable[[Database, Part], Awaitable[Told]]
"""Reads a part of the resources of one kind."""


@dataclass(frozen=True)
class Service:
    """The parts of one service, listed once in its `app.py`."""

    name: str
    title: str
    routers: tuple[APIRouter, ...]
    indexes: Indexes
    refusal: type[Exception] = KeyReused
    """The base class of its refusals: each has a `code` and a `reason`."""
    statuses: Mapping[str, int] = field(default_factory=dict)
    """HTTP status by refusal code; a code without an entry has 409."""
    subscriptions: Subscriptions = field(default_factory=Subscriptions)
    jobs: Jobs = field(default_factory=Jobs)
    snapshots: Mapping[str, Snapshot] = field(default_factory=dict)
    """Its resources by kind, for another service that rebuilds its view of them."""
    snapshots_of_patrons: Mapping[str, Snapshot] = field(default_factory=dict)
    """The same for resources of patrons: also for one patron or for a sample of patrons."""
    keys: Callable[[Database], FetchKeys] | None = None
    """Function with which the issuer of tokens reads its own public keys; None: ask the issuer."""
    background: tuple[Callable[[FastAPI], Any], ...] = ()
    """Further background tasks of the service, each an async function of the app."""
    health: Mapping[str, Callable[[FastAPI], Awaitable[tuple[bool, str]]]] = field(
        default_factory=dict
    )
    """Further needs of its API, by name: whether the process is ready, and "ok" or the fault."""
    answers_within: float | None = None
    """Seconds until a route (not a job or a preview) answers or gives 503; None: no limit."""


# ---- dependencies of routes ---------------------------------------------------------------------


def business_time(request: Request) -> datetime:
    """Return the business time of a request, for a route that avoids the cost of dependencies."""
    header = request.headers.get("carrel-time")
    if header is None or not request.app.state.settings.simulation:
        return wall_clock()
    try:
        return bounded(parse_instant(header))
    except ValueError as error:
        raise HTTPException(422, f"Carrel-Time: {error}") from None


async def _business_time(request: Request) -> datetime:
    return business_time(request)


BusinessTime = Annotated[datetime, Depends(_business_time)]
"""Business time, UTC: now, or in a simulation the time in Carrel-Time."""


async def _run(request: Request, now: BusinessTime) -> unit_of_work.Run:
    run = unit_of_work.Run(
        request.app.state.unit_of_work,
        _origin(request, now),
        once=await _once(request),
        within=STORE_SECONDS,
    )
    request.state.run = run
    return run


def _origin(request: Request, now: datetime) -> Origin:
    return Origin(now=now, correlation_id=request.scope["carrel.request_id"])


async def _once(request: Request) -> Once | None:
    key = request.headers.get("idempotency-key")
    if key is None or request.method not in ("POST", "PATCH", "DELETE"):
        return None
    if not (0 < len(key) <= 200 and key.isascii() and key.isprintable()):
        raise HTTPException(422, "Idempotency-Key: 1 to 200 printable ASCII characters")
    caller = getattr(request.state, "caller", None)
    url = request.url
    # Keyed, because a body may hold a PIN: a plain digest of it could be guessed from a dump.
    secret = request.app.state.settings.service_secret.encode()
    digest = hmac.new(secret, f"{request.method} {url.path}?{url.query}\n".encode(), "sha256")
    digest.update(await request.body())
    return Once(key=f"{caller.id if caller else '-'}:{key}", fingerprint=digest.hexdigest())


async def _database(request: Request) -> AsyncIterator[Database]:
    # A limit for all reads together: one that hangs holds one of the driver's few threads.
    with pymongo.timeout(STORE_SECONDS):
        yield request.app.state.database


async def _owners(request: Request) -> Owners:
    owners: Owners = request.app.state.owners
    return owners


async def _preview(
    response: Response,
    preview: Annotated[
        bool, Query(description="Return only the effect of the command; nothing changes.")
    ] = False,
) -> bool:
    if preview:
        response.status_code = 200  # nothing was created
    return preview


Preview = Annotated[bool, Depends(_preview)]
"""True if the request is a preview: `await run.try_out(use_case, command)` changes nothing."""
Run = Annotated[unit_of_work.Run, Depends(_run)]
"""Runs use cases: `await run(renew_loan, command)`. Declare it after the caller."""
Db = Annotated[Database, Depends(_database)]
"""The database, for queries outside any transaction."""
AskOwner = Annotated[Owners, Depends(_owners)]


@dataclass(frozen=True)
class Page:
    """The part of a list that is asked for."""

    limit: int
    after: str | None


async def _page(
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE, description="Maximum number of items.")] = 50,
    after: Annotated[
        str | None, Query(max_length=200, description="`next` of the previous page.")
    ] = None,
) -> Page:
    return Page(limit, after)


PageQuery = Annotated[Page, Depends(_page)]


def page_of(items: list[Any], page: Page, cursor: Callable[[Any], str]) -> dict[str, Any]:
    """Return `{items, next}` from a query with `limit + 1`: one more item means a next page."""
    more = len(items) > page.limit
    items = items[: page.limit]
    return {"items": items, "next": cursor(items[-1]) if more else None}


# ---- the app ------------------------------------------------------------------------------------


def create_service_app(service: Service, settings: Settings) -> FastAPI:
    """Return the whole service as one ASGI app that runs the roles in the settings."""
    configure_logs(service.name, settings.replica, settings.log_level)
    configure_tracing(service.name, settings.replica)
    bound_dates(settings.date_years)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        _assemble(app, service, settings)
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
        # _Edge makes the spans and metrics of a request: FastAPI's own would double them.
        telemetry={"tracing": False, "metrics": False, "logs": False},
        # Declared once for all routes; each route adds its own codes.
        responses={"default": {"model": Problem, "description": "A problem (RFC 9457)"}},
    )
    if "api" in settings.roles:
        _add_jobs(app, service)  # before routes that match every other path
        _add_snapshots(app, service)
        for router in service.routers:
            app.include_router(router)
    _add_health(app, service, settings)
    _add_problems(app, service)
    app.add_middleware(_Edge, service=service.name, answers_within=service.answers_within)
    app.openapi = lambda: _openapi(app, service)  # type: ignore[method-assign]
    return app


def _assemble(app: FastAPI, service: Service, settings: Settings) -> None:
    client: Client = connect(settings.mongo_url)
    database: Database = client[f"{settings.database_prefix}_{service.name}"]
    state = app.state
    state.settings, state.client, state.database = settings, client, database
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


async def _work(app: FastAPI, service: Service, settings: Settings) -> None:
    """Create the indexes, then run the roles until the service stops."""
    database: Database = app.state.database
    while True:
        try:
            await ensure_indexes(
                database, {**chassis_indexes(settings.outbox_days), **service.indexes}
            )
            break
        except Exception as error:  # noqa: BLE001 - without indexes nothing else starts
            log.warning("waiting for the database", error=type(error).__name__)
            await asyncio.sleep(0.5)
    app.state.stored = True
    supervisor: Supervisor = app.state.supervisor
    for run in service.background:
        supervisor.start(run.__name__, partial(run, app))
    supervisor.start("keep_keys", app.state.verifier.keep_renewed)
    if "relay" in settings.roles:
        relay = Relay(
            database, settings.kafka, service.name, settings.replica, settings.topic_prefix
        )
        supervisor.start("relay", relay.run)
    if "consumers" in settings.roles and service.subscriptions.by_topic:
        supervisor.start("listener", app.state.listener.run)
    if "jobs" in settings.roles and service.jobs.by_name:
        supervisor.start(
            "jobs",
            partial(
                keep_schedule,
                service.jobs,
                app.state.unit_of_work,
                simulation=settings.simulation,
            ),
        )
    try:
        await asyncio.Event().wait()
    finally:
        await supervisor.stop()


def _add_jobs(app: FastAPI, service: Service) -> None:
    if not service.jobs.by_name:
        return

    names = sorted(service.jobs.by_name)
    example = {"job": f"{service.name}/{names[0]}", "done": 3}

    @app.post(
        f"{JOBS}{service.name}/{{job}}",
        tags=["operations"],
        responses={200: {"content": {"application/json": {"example": example}}}},
    )
    async def run_job(
        job: Annotated[str, Path(json_schema_extra={"enum": names})], _caller: StaffOrOps, run: Run
    ) -> JobOut:
        """Run a job now, for the business time of the request. Safe to repeat."""
        if job not in service.jobs.by_name:
            raise NotFound("job")
        patient = unit_of_work.Run(app.state.unit_of_work, run.origin, within=30.0)
        done = await service.jobs.by_name[job].run(patient)
        run.events.extend(patient.events)
        return JobOut(job=f"{service.name}/{job}", done=done)


def _add_snapshots(app: FastAPI, service: Service) -> None:
    kinds = {**service.snapshots, **service.snapshots_of_patrons}
    if not kinds:
        return

    @app.get("/v1/snapshots/{kind}", tags=["operations"])
    async def get_snapshot(
        kind: str,
        _caller: OtherService,
        now: BusinessTime,
        db: Db,
        *,
        after: str = "",
        patron: Annotated[
            str,
            Query(
                description="Id of a patron: return all resources of this patron, and no others."
            ),
        ] = "",
        sample: Annotated[
            int,
            Query(
                ge=0,
                le=1000,
                description="Number of resources to pick at random; 0: no random sample.",
            ),
        ] = 0,
    ) -> Response:
        """Return a chunk of a kind's resources as they are now; `next` is the next `after`."""
        asked = service.snapshots_of_patrons if patron or sample else kinds
        if kind not in asked:
            raise NotFound("kind of resource")
        events, more = await asked[kind](db, Part(after, patron, sample))
        items = [orjson.Fragment(event.body()) for event in events]
        body = orjson.dumps({"as_of": now, "items": items, "next": more})
        return Response(body, media_type="application/json")


def _add_health(app: FastAPI, service: Service, settings: Settings) -> None:
    @app.get("/health/live", include_in_schema=False)
    async def live() -> dict[str, str]:
        return {"status": "alive", "service": service.name}

    @app.get("/health/ready", include_in_schema=False)
    async def ready(response: Response) -> dict[str, Any]:
        report, fit = await _readiness(app, service, settings)
        response.status_code = 200 if fit else 503
        return report

    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        with contextlib.suppress(PyMongoError), pymongo.timeout(STORE_SECONDS):
            PENDING_AGE.set(await outbox_age(app.state.database))
            PENDING.set(await outbox_pending(app.state.database))
        await app.state.listener.measure_lag()
        app.state.listener.held()
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    @app.get("/asyncapi", include_in_schema=False)
    async def asyncapi() -> Any:
        return app.state.listener.specification()


async def _readiness(
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
        with pymongo.timeout(STORE_SECONDS):
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
    status = "unready" if not fit else "degraded" if degraded else "ready"
    report = {
        "status": status,
        "service": service.name,
        "checks": checks,
        "outbox_seconds": round(age, 3),
    }
    return report, fit


# ---- problems -----------------------------------------------------------------------------------


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    title: str | None = None,
    errors: list[dict[str, Any]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a problem as a response."""
    body = {
        "type": f"/problems/{code}",
        "title": title or code.replace("-", " ").capitalize(),
        "status": status,
        "detail": detail,
        "code": code,
    }
    if errors is not None:
        body["errors"] = errors
    return Response(
        orjson.dumps(body), status, dict(headers or {}), media_type="application/problem+json"
    )


AWAY = {"Retry-After": "2"}


def unavailable(what: str) -> Response:
    """Return a 503: a service, or a part of the system, is away."""
    return problem(503, "unavailable", f"{what} is away for a moment. Try again.", headers=AWAY)


def _add_problems(app: FastAPI, service: Service) -> None:
    async def refused(_: Request, error: Exception) -> Response:
        code = str(getattr(error, "code", "refused"))
        reason = str(getattr(error, "reason", "") or error)
        status = service.statuses.get(code, 409)
        headers = {"Retry-After": "60"} if status == 429 else None
        extra = getattr(error, "extra", None)
        answer = problem(status, code, reason, headers=headers)
        if isinstance(extra, Mapping):
            answer = Response(
                orjson.dumps({**orjson.loads(answer.body), **extra}),
                status,
                headers,
                media_type="application/problem+json",
            )
        return answer

    async def not_found(_: Request, error: Exception) -> Response:
        return problem(404, "not-found", str(error))

    async def reused(_: Request, __: Exception) -> Response:
        return problem(
            409, "idempotency-key-reused", "This Idempotency-Key was used for another request."
        )

    async def unauthenticated(_: Request, __: Exception) -> Response:
        return problem(
            401,
            "unauthenticated",
            "Log in: the token is missing, altered, expired or meant for another system.",
            headers={"WWW-Authenticate": "Bearer"},
        )

    async def forbidden(_: Request, __: Exception) -> Response:
        return problem(403, "forbidden", "Your role does not allow this.")

    async def away(_: Request, error: Exception) -> Response:
        return unavailable(
            error.service if isinstance(error, OwnerAway) else "A part of the system"
        )

    async def owner_refused(_: Request, error: Exception) -> Response:
        return problem(422, "malformed", str(error))

    async def out_of_range(request: Request, error: Exception) -> Response:
        log.warning("out of range", path=request.url.path, exc_info=error)
        return problem(422, "malformed", "A number or a date is out of range.")

    async def database(request: Request, error: Exception) -> Response:
        if is_away(error) or isinstance(error, Busy):
            return await away(request, error)
        return await unexpected(request, error)

    async def unexpected(request: Request, error: Exception) -> Response:
        log.error("unexpected", path=request.url.path, error=type(error).__name__, exc_info=error)
        return problem(500, "internal", "Something went wrong here. It has been logged.")

    async def malformed(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101
        faults = error.errors()
        if any(fault["type"] == "json_invalid" for fault in faults):
            return problem(400, "not-json", "The body is not JSON.")
        errors = [
            {"field": ".".join(str(part) for part in fault["loc"]), "message": fault["msg"]}
            for fault in faults
        ]
        return problem(422, "malformed", "Some fields are not as they should be.", errors=errors)

    async def plain_http(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101
        codes = {
            400: "not-json",
            404: "not-found",
            405: "method-not-allowed",
            413: "too-large",
            422: "malformed",
        }
        return problem(
            error.status_code,
            codes.get(error.status_code, "refused"),
            str(error.detail),
            headers=error.headers,
        )

    for kind, handler in (
        (service.refusal, refused),
        (NotFound, not_found),
        (KeyReused, reused),
        (Unauthenticated, unauthenticated),
        (Forbidden, forbidden),
        (OwnerAway, away),
        (OwnerRefused, owner_refused),
        (BadId, owner_refused),
        (OverflowError, out_of_range),
        (Busy, away),
        (PyMongoError, database),
        (RequestValidationError, malformed),
        (HTTPException, plain_http),
        (Exception, unexpected),
    ):
        app.add_exception_handler(kind, handler)


# ---- middleware ---------------------------------------------------------------------------------


class _TooLarge(Exception):
    pass


class _Edge:
    """Applies limits of size and time, and adds request id, metrics and changes to each request."""

    def __init__(self, app: ASGIApp, service: str, answers_within: float | None) -> None:
        self._app = app if answers_within is None else _Prompt(app, answers_within)
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        request_id = scope["carrel.request_id"] = _request_id(headers)
        scope.setdefault("state", {})
        started = asyncio.get_running_loop().time()
        status = 500
        taken = 0
        declared = headers.get(b"content-length", b"0")
        # A read has no changes, and a stream of events must not be held back for them.
        wants_changes = b"carrel-changes" in headers and scope["method"] not in ("GET", "HEAD")
        start: Message | None = None
        begun: float | None = None
        """Start of a stream of events; the metric leaves out the time that the stream lasts."""
        chunks: list[bytes] = []

        async def limited() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > MAX_BODY:
                raise _TooLarge
            return message

        async def observed(message: Message) -> None:
            nonlocal status, start, begun
            if message["type"] == "http.response.start":
                status = message["status"]
                if _is_stream(message):
                    begun = asyncio.get_running_loop().time()
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
                if wants_changes:
                    start = message
                    return
            elif wants_changes:
                chunks.append(message.get("body", b""))
                if message.get("more_body"):
                    return
                await _send_with_changes(scope, start or {}, b"".join(chunks), send)
                return
            await send(message)

        in_flight = IN_FLIGHT.labels(self._service).track_inprogress()
        with in_flight, correlated(request_id), _serving(scope) as serving:
            try:
                if not declared.isdigit() or int(declared) > MAX_BODY:
                    raise _TooLarge
                await self._app(scope, limited, observed)
            except _TooLarge:
                status = 413
                answer = problem(413, "too-large", f"A body may have {MAX_BODY} bytes.")
                await answer(scope, receive, observed)
            finally:
                elapsed = (begun or asyncio.get_running_loop().time()) - started
                self._tell(scope, serving, status, elapsed)

    def _tell(self, scope: Scope, serving: Span, status: int, seconds: float) -> None:
        """Write the metric, the span's final attributes and the log line of an answer."""
        method, route = scope["method"], getattr(scope.get("route"), "path", "none")
        REQUESTS.labels(self._service, method, route, status).observe(seconds)
        serving.update_name(f"{method} {route}")
        serving.set_attribute("http.route", route)
        serving.set_attribute("http.response.status_code", status)
        if status >= 500:
            fail(serving, str(status))
        # Changes and failures are logged at INFO; reads and probes, which are many, at DEBUG.
        level = logging.DEBUG if status < 500 and method in ("GET", "HEAD") else logging.INFO
        took = round(seconds * 1000, 1)
        log.log(level, "answered", method=method, route=route, status=status, milliseconds=took)


def _request_id(headers: Mapping[bytes, bytes]) -> str:
    """Return the caller's X-Request-Id if it can be logged, else a new id."""
    given = headers.get(b"x-request-id", b"").decode("latin-1")
    usable = 0 < len(given) <= 100 and given.isprintable() and given.isascii()
    return given if usable else new_id()


def _serving(scope: Scope) -> AbstractContextManager[Span]:
    """Return a server span under the caller's; no span for probes, which come each second."""
    if scope["path"].startswith("/health") or scope["path"] == "/metrics":
        return nullcontext(INVALID_SPAN)
    about = {"http.request.method": scope["method"]}
    return span(scope["method"], SpanKind.SERVER, headers=_trace_of(scope), attributes=about)


def _trace_of(scope: Scope) -> Mapping[str, Sequence[str]] | None:
    """Return the caller's trace headers; None if there is no traceparent, or more than one."""
    sent: dict[str, list[str]] = {"traceparent": [], "tracestate": []}
    for name, value in scope["headers"]:
        if name in (b"traceparent", b"tracestate"):
            sent[name.decode()].append(value.decode("latin-1"))
    if len(",".join(sent["tracestate"])) > MAX_TRACE_STATE:
        del sent["tracestate"]
    return sent if len(sent["traceparent"]) == 1 else None


def _is_stream(start: Message) -> bool:
    """Return whether a response that starts is a stream of events."""
    kind: bytes = dict(start["headers"]).get(b"content-type", b"")
    return kind.startswith(b"text/event-stream")


def takes_long(scope: Scope) -> bool:
    """Return whether a request is a job or a preview, which may take longer than others.

    Both read the loans of many branches.
    """
    path: str = scope["path"]
    if path.startswith(_PREVIEWED):
        return b"preview=" in scope["query_string"]
    return path.startswith(JOBS)


_PREVIEWED = ("/v1/closures", "/v1/fine-suspensions", "/desk/closures", "/desk/suspensions")


class _Prompt:
    """Answers 503 for an app that has not begun to answer `seconds` after the request."""

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self._app = app
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or takes_long(scope):
            await self._app(scope, receive, send)
            return
        begun = False

        async def received() -> Message:
            message = await receive()
            if not begun:  # a slow body from the client is not our delay
                deadline.reschedule(asyncio.get_running_loop().time() + self._seconds)
            return message

        async def sent(message: Message) -> None:
            nonlocal begun
            if not begun:
                begun = True
                deadline.reschedule(None)
            await send(message)

        try:
            async with asyncio.timeout(self._seconds) as deadline:
                await self._app(scope, received, sent)
        except TimeoutError:
            if begun or not deadline.expired():
                raise
            log.warning("too slow", path=scope["path"])
            answer = problem(
                503, "unavailable", "This takes too long now. Try again.", headers=AWAY
            )
            await answer(scope, receive, send)


async def _send_with_changes(scope: Scope, start: Message, body: bytes, send: Send) -> None:
    """Send the answer, wrapped with the events that the command recorded, if there are any.

    The gateway applies them to the account views before it answers, so that a client reads its
    own writes. The same events come by Kafka later and then change nothing.
    """
    run = scope["state"].get("run")
    if run is not None and run.events and start["status"] < 400:
        body = orjson.dumps(
            {
                "status": start["status"],
                "answer": orjson.Fragment(body) if body else None,
                "changes": [
                    {"topic": event.topic, "data": orjson.Fragment(event.body())}
                    for event in run.events
                ],
            }
        )
        kept = [
            (name, value) for name, value in start["headers"] if name.lower() != b"content-length"
        ]
        if start["status"] == 204:
            start["status"] = 200  # a 204 can't have a body: one would break the connection
        start["headers"] = [
            *kept,
            (b"content-length", str(len(body)).encode()),
            (b"carrel-changes", str(len(run.events)).encode()),
        ]
    await send(start)
    await send({"type": "http.response.body", "body": body})


def _openapi(app: FastAPI, service: Service) -> dict[str, Any]:
    """Return the OpenAPI document of this service, made once."""
    if app.openapi_schema is None:
        codes = {str(getattr(kind, "code", "")) for kind in service.refusal.__subclasses__()}
        app.openapi_schema = document_of(app, keyed_by=_run, refusals=codes)
    return app.openapi_schema
