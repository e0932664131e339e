"""Gateways on a real database, with small real services behind them."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI, Request, Response

from services.gateway.app import create_app
from services.gateway.consumers import hears
from services.gateway.settings import Settings
from services.gateway.store import FORM, INDEXES, WHOLE, apply
from shared.auth import Patron
from shared.contracts import Event
from shared.contracts.circulation import LoanCheckedOut, LoanRenewed
from shared.http import NotFound, Run, Service, create_service_app
from shared.mongo import Database, connect, ensure_indexes
from shared.unit_of_work import Origin, Work
from tests.gateway import story
from tests.support import Api, served, test_keys

SERVICES = ("accounts", "circulation", "events", "notices")


@dataclass
class Owner:
    """A service behind the gateway, and what it was asked."""

    app: FastAPI
    asked: list[dict[str, Any]] = field(default_factory=list)
    accruing: dict[str, Any] | None = None
    """What circulation answers of accruing fines; None: it hangs."""
    end: asyncio.Event = field(default_factory=asyncio.Event)
    """What hangs, hangs until then."""

    def create_app(self, _: Settings) -> FastAPI:
        """The app, as `served` asks for it."""
        return self.app


def echo(service: str) -> Owner:
    """A service that answers what it was asked, and lives."""
    app = FastAPI()
    owner = Owner(app)
    app.state.stored = True

    @app.get("/health/live")
    async def live() -> dict[str, str]:
        return {"status": "alive"}

    app.get("/v1/keys")(test_keys)  # a gateway asks for them by itself

    @app.get("/v1/titles/hangs")
    async def hang() -> None:
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


async def renew(work: Work, loan_id: str) -> str:
    work.record(
        story.loan(LoanRenewed, 2, loan_id, due_on=date(2021, 3, 1), renewals=1, renewals_left=4)
    )
    return loan_id


async def lend(work: Work, loan_id: str) -> str:
    work.record(story.loan(LoanCheckedOut, 1, loan_id))
    return loan_id


async def end(work: Work, loan_id: str) -> None:
    work.record(story.returned(9, loan_id))


def circulation(settings: Settings) -> Owner:
    """A thin circulation on the chassis: what it records, the chassis puts into its answers."""
    router = APIRouter(prefix="/v1")

    @router.post("/checkouts", status_code=201)
    async def post_checkout(loan_id: str, _caller: Patron, run: Run) -> dict[str, str]:
        return {"lent": await run(lend, loan_id)}

    @router.post("/loans/{loan_id}/renewals")
    async def post_renewal(loan_id: str, _caller: Patron, run: Run) -> dict[str, str]:
        if loan_id == "refused":
            raise NotFound("loan")
        return {"renewed": await run(renew, loan_id)}

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
    """A server that answers anything with these bytes; with none it never answers."""

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


def nobody() -> str:
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def settings(mongo_url: str, database: str) -> Settings:
    """A gateway with its API only, whose owners are all away."""
    settings = Settings(
        mongo_url=mongo_url, database_prefix=database, roles=("api",), simulation=True
    )
    return settings.model_copy(update={f"{service}_url": nobody() for service in SERVICES})


@pytest.fixture
async def echoes(settings: Settings) -> AsyncIterator[tuple[Settings, dict[str, Owner]]]:
    """All four owners, each answering what it was asked, and settings that point at them."""
    owners = {service: echo(service) for service in SERVICES}
    async with contextlib.AsyncExitStack() as stack:
        urls = {}
        for service, owner in owners.items():
            api = await stack.enter_async_context(served(owner.create_app, settings))
            urls[f"{service}_url"] = api.url
        yield settings.model_copy(update=urls), owners
        for owner in owners.values():
            owner.end.set()


@pytest.fixture
async def lending(settings: Settings) -> AsyncIterator[tuple[Settings, Owner]]:
    """The thin circulation, and settings that point at it."""
    owner = circulation(settings)
    async with served(owner.create_app, settings) as api:
        yield settings.model_copy(update={"circulation_url": api.url}), owner
        owner.end.set()


@pytest.fixture
async def views(settings: Settings) -> AsyncIterator[Database]:
    """The gateway's database, prepared."""
    client = connect(settings.mongo_url)
    database = client[f"{settings.database_prefix}_gateway"]
    await ensure_indexes(database, INDEXES)
    yield database
    client.close()


@pytest.fixture
async def whole(views: Database) -> None:
    """Views that show all that the owners have, which here is nothing."""
    await views.account_views.insert_one({"_id": WHOLE, "form": FORM})


@contextlib.asynccontextmanager
async def gateways(settings: Settings, count: int) -> AsyncIterator[list[Api]]:
    """So many replicas of the gateway."""
    async with contextlib.AsyncExitStack() as stack:
        yield [await stack.enter_async_context(served(create_app, settings)) for _ in range(count)]


Tell = Callable[[Sequence[tuple[Event, datetime]]], Awaitable[None]]


@pytest.fixture
def hear_all(views: Database) -> Tell:
    """Hands events with their times to the consumers that hear them, as the listener a batch."""

    async def deliver(told: Sequence[tuple[Event, datetime]]) -> None:
        found = [hears.handlers[event.topic][1](event, Origin(when)) for event, when in told]
        await apply(views, [change for changes in found for change in changes])

    return deliver


@pytest.fixture
def hear(hear_all: Tell) -> Callable[..., Awaitable[None]]:
    """Hands one event to the consumer that hears it."""

    async def deliver(event: Event, when: datetime = story.START) -> None:
        await hear_all([(event, when)])

    return deliver


@pytest.fixture
def gateway(whole: None) -> Callable[[Settings], contextlib.AbstractAsyncContextManager[Api]]:
    """Runs a gateway whose views are whole: `async with gateway(settings) as api`."""
    return lambda settings: served(create_app, settings)
