"""Gateways on a real database, with small real services behind them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI, Request, Response

from services.gateway.app import create_app
from services.gateway.consumers import subscriptions
from services.gateway.settings import Settings
from services.gateway.views.store.schema import FORM, INDEXES, WHOLE
from services.gateway.views.store.writes import apply
from services.registry import OWNERS
from shared.auth import Patron
from shared.contracts import Event
from shared.contracts.circulation import LoanCheckedOut, LoanRenewed
from shared.declared_indexes import ensure_indexes
from shared.http.app import create_service_app
from shared.http.dependencies import Run
from shared.http.problems import NotFound
from shared.http.service import Service
from shared.mongo import Database
from shared.unit_of_work import Origin, Work
from tests import samples
from tests.support import Api, patient_client, reaching, served, test_keys
from tests.warm import nobody, settings_of


@dataclass
class Owner:
    """A service behind the gateway, with a record of the requests it got."""

    app: FastAPI
    asked: list[dict[str, Any]] = field(default_factory=list)
    accruing: dict[str, Any] | None = None
    """Circulation's answer about accruing fines; None makes the call hang."""
    end: asyncio.Event = field(default_factory=asyncio.Event)
    """Set to end the calls that hang."""

    def create_app(self, _: Settings) -> FastAPI:
        """Return the application, with the signature that `served` needs."""
        return self.app


def echo(service: str) -> Owner:
    """Return a running service that records each request and answers it."""
    app = FastAPI()
    owner = Owner(app)
    app.state.stored = True

    @app.get("/health/live")
    async def live() -> dict[str, str]:
        return {"status": "alive"}

    app.get("/v1/keys")(test_keys)  # a gateway asks for the keys by itself

    @app.get("/v1/titles/hangs")
    async def hang() -> None:
        await owner.end.wait()

    @app.post("/v1/ops/jobs/circulation/hangs")
    async def hang_long() -> None:
        owner.asked.append({"path": "/v1/ops/jobs/circulation/hangs"})
        await owner.end.wait()

    @app.get("/v1/titles/breaks")
    async def fail() -> Response:
        return Response("Traceback …", 500)

    @app.get("/v1/titles/moves")
    async def move() -> Response:
        return Response(status_code=307, headers={"Location": "http://127.0.0.1:1/secret"})

    @app.api_route("/{path:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    async def answer(request: Request) -> Response:
        asked = {
            "service": service,
            "method": request.method,
            "path": request.scope["raw_path"].decode(),
            "query": request.scope["query_string"].decode(),
            "headers": dict(request.headers),
            "body": (await request.body()).decode(),
        }
        owner.asked.append(asked)
        return Response(
            Api.__doc__,
            201,
            {"ETag": '"7"', "Set-Cookie": "a=b", "X-Internal": "host", "Retry-After": "9"},
            media_type="text/plain",
        )

    return owner


def renew(work: Work, loan_id: str) -> str:
    work.record(
        samples.loan(LoanRenewed, 2, loan_id, due_on=date(2021, 3, 1), renewals=1, renewals_left=4)
    )
    return loan_id


def lend(work: Work, loan_id: str) -> str:
    work.record(samples.loan(LoanCheckedOut, 1, loan_id))
    return loan_id


def end(work: Work, loan_id: str) -> None:
    work.record(samples.returned(9, loan_id))


def circulation(settings: Settings) -> Owner:
    """Return a small circulation on the chassis, which puts recorded events into its answers."""
    router = APIRouter(prefix="/v1")

    @router.post("/checkouts", status_code=201)
    async def post_checkout(loan_id: str, _caller: Patron, run: Run) -> dict[str, str]:
        return {"lent": await run(lend, loan_id)}

    @router.post("/loans/{loan_id}/renewals")
    async def post_renewal(loan_id: str, _caller: Patron, run: Run) -> dict[str, str]:
        if loan_id == "refused":
            raise NotFound("loan")
        return {"renewed": await run(renew, loan_id)}

    @router.post("/holds")
    async def post_hold(loan_id: str, _caller: Patron, run: Run) -> None:
        await run(lend, loan_id)
        raise NotFound("hold")  # a later step is refused

    @router.delete("/holds/{loan_id}", status_code=204)
    async def delete_hold(loan_id: str, _caller: Patron, run: Run) -> None:
        await run(end, loan_id)

    @router.get("/me/accruing")
    async def get_accruing(request: Request, _caller: Patron) -> Any:
        owner.asked.append(dict(request.headers))
        if owner.accruing is None:
            await owner.end.wait()
        return owner.accruing

    app = create_service_app(
        Service(name="circulation", title="Circulation", routers=(router,), indexes={}), settings
    )
    owner = Owner(app, accruing={"items": []})
    return owner


@contextlib.asynccontextmanager
async def says(answer: bytes) -> AsyncIterator[str]:
    """Run a server that answers anything with these bytes; with none it never answers."""

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        if answer:
            writer.write(answer)
            await writer.drain()
            writer.close()
        else:
            await reader.read()
            writer.close()

    server = await asyncio.start_server(meet, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


@pytest.fixture
def settings(mongo_url: str, database: str) -> Settings:
    """Settings of a gateway with the API only, whose owners are all away."""
    settings = settings_of(
        Settings, mongo_url=mongo_url, database_prefix=database, roles=("api",), simulation=True
    )
    return reaching(settings, **{service: nobody() for service in OWNERS})


@pytest.fixture
async def echoes(settings: Settings) -> AsyncIterator[tuple[Settings, dict[str, Owner]]]:
    """Four owners that record their requests, and settings that point at them."""
    owners = {service: echo(service) for service in OWNERS}
    async with contextlib.AsyncExitStack() as stack:
        urls = {}
        for service, owner in owners.items():
            api = await stack.enter_async_context(served(owner.create_app, settings))
            urls[service] = api.url
        yield reaching(settings, **urls), owners
        for owner in owners.values():
            owner.end.set()


@pytest.fixture
async def lending(settings: Settings) -> AsyncIterator[tuple[Settings, Owner]]:
    """The small circulation, and settings that point at it."""
    owner = circulation(settings)
    async with served(owner.create_app, settings) as api:
        yield reaching(settings, circulation=api.url), owner
        owner.end.set()


@pytest.fixture
async def views(settings: Settings) -> AsyncIterator[Database]:
    """The gateway's database with its indexes."""
    client = patient_client(settings.mongo_url)
    database = client[f"{settings.database_prefix}_gateway"]
    await ensure_indexes(database, INDEXES)
    yield database
    client.close()


@pytest.fixture
async def whole(views: Database) -> None:
    """Mark the views as complete; no owner has any data here."""
    await views.account_views.insert_one({"_id": WHOLE, "form": FORM})


@contextlib.asynccontextmanager
async def gateways(settings: Settings, count: int) -> AsyncIterator[list[Api]]:
    """Run this many replicas of the gateway."""
    async with contextlib.AsyncExitStack() as stack:
        yield [await stack.enter_async_context(served(create_app, settings)) for _ in range(count)]


Tell = Callable[[Sequence[tuple[Event, datetime]]], Awaitable[None]]


@pytest.fixture
def hear_all(views: Database) -> Tell:
    """A function that hands events with their times to their consumers as one batch."""

    async def deliver(told: Sequence[tuple[Event, datetime]]) -> None:
        found = [
            subscriptions.by_topic[event.topic].handler(event, Origin(when)) for event, when in told
        ]
        await apply(views, [change for changes in found for change in changes])

    return deliver


@pytest.fixture
def hear(hear_all: Tell) -> Callable[..., Awaitable[None]]:
    """A function that hands one event to its consumer."""

    async def deliver(event: Event, when: datetime = samples.START) -> None:
        await hear_all([(event, when)])

    return deliver


@pytest.fixture
def gateway(whole: None) -> Callable[[Settings], contextlib.AbstractAsyncContextManager[Api]]:
    """A function that runs a gateway on complete views: `async with gateway(settings) as api`."""
    return lambda settings: served(create_app, settings)
