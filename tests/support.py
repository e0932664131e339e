"""Helpers for tests: a service on a free port in this event loop, and tokens that it accepts."""

import asyncio
import contextlib
import random
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import aiohttp
import orjson
import uvicorn
from fastapi import FastAPI
from joserfc import jwt
from joserfc.jwk import OKPKey

from ops.server import Server
from services.registry import NAMES
from services.settings import Settings
from shared.assertions import make_key, public_half
from shared.auth import Verifier
from shared.ids import new_id
from shared.mongo import Client as MongoClient
from shared.mongo import Database, connect
from shared.token_form import ALGORITHM, AUDIENCE, ISSUER, TOKEN_TYPE
from tests import patience
from tests.declared import is_operation, undeclared
from tests.recorded import acts_are_recorded, is_recorded
from tests.warm import application, listening, port_for

MOST_PAUSE = 3.0
"""Seconds between two tries of a client that was answered 503."""

KEY = OKPKey.generate_key("Ed25519", auto_kid=True)
SERVICE_KEYS = {service: make_key() for service in NAMES}
"""The private keys with which services log in at accounts."""
PUBLIC_SERVICE_KEYS = {service: (public_half(key),) for service, key in SERVICE_KEYS.items()}
S = TypeVar("S", bound=Settings)


def reaching(settings: S, **urls: str) -> S:
    """Return the settings with other addresses of these services."""
    return settings.model_copy(update={"urls": {**settings.urls, **urls}})


def token(
    sub: str = "patron-1",
    roles: Sequence[str] = ("patron",),
    *,
    name: str = "Test",
    expires_in: float = 3600,
    issued_in: float = 0,
    audience: str = AUDIENCE,
    session_id: str = "session-of-tests",
    typ: str = TOKEN_TYPE,
    key: OKPKey = KEY,
) -> str:
    """Return a token like those that accounts signs, signed with a key of this test run."""
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": audience,
        "sub": sub,
        "roles": list(roles),
        "name": name,
        "iat": int(now + issued_in),
        "exp": int(now + expires_in),
        **({} if "service" in roles else {"sid": session_id}),
    }
    header = {"alg": ALGORITHM, "kid": KEY.kid, "typ": typ}
    return jwt.encode(header, claims, key, algorithms=[ALGORITHM])


OPS = token("ops-1", ["ops"])


async def test_keys() -> dict[str, Any]:
    """Return the public half of KEY in the format in which accounts publishes its keys."""
    return {"keys": [KEY.as_dict(private=False)]}


test_keys.__test__ = False  # type: ignore[attr-defined]


def patient_client(url: str) -> MongoClient:
    """Return a database client of a test, which waits for a busy server longer than services do."""
    return connect(url, timeout_ms=round(patience.stretched(20) * 1000))


@dataclass(frozen=True)
class Answer:
    """An answer of a service."""

    status: int
    headers: Mapping[str, str]
    """Header names, case-insensitive."""
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return orjson.loads(self.body)


class Client:
    """A client of the server at `url`; `as_` is a token, `at` the business time (ISO 8601)."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self._session = session

    async def call(
        self,
        method: str,
        path: str,
        json: Any = None,
        *,
        as_: str | None = None,
        at: str | None = None,
        key: str | None = None,
        headers: dict[str, str] | None = None,
        data: bytes | None = None,
    ) -> Answer:
        """Send one request; `key` is its Idempotency-Key."""
        sent = dict(headers or {})
        if as_:
            sent["Authorization"] = f"Bearer {as_}"
        if at:
            sent["Carrel-Time"] = at
        if key:
            sent["Idempotency-Key"] = key
        async with self._session.request(
            method, self.url + path, json=json, data=data, headers=sent
        ) as response:
            return Answer(response.status, response.headers, await response.read())

    async def insist(
        self, method: str, path: str, json: Any = None, *, within: float = 120.0, **more: Any
    ) -> Answer:
        """Send one request under one Idempotency-Key until the answer is not a 503.

        On a slow machine, or with many callers at once, the first try may take too long. The pauses
        double up to MOST_PAUSE and are random, so that fifty refused callers do not come back
        together. Raises TimeoutError after `within` seconds, stretched.
        """
        once = {"key": new_id(), **more}
        limit = patience.stretched(within)
        deadline = time.monotonic() + limit
        pause = 0.2
        while (answer := await self.call(method, path, json, **once)).status == 503:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{method} {path} was answered 503 for {limit:.0f} s")
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - no secret
            pause = min(2 * pause, MOST_PAUSE)
        return answer

    async def get(self, path: str, **more: Any) -> Answer:
        """GET."""
        return await self.call("GET", path, **more)

    async def post(self, path: str, json: Any = None, **more: Any) -> Answer:
        """POST."""
        return await self.call("POST", path, json, **more)

    async def patch(self, path: str, json: Any = None, **more: Any) -> Answer:
        """PATCH."""
        return await self.call("PATCH", path, json, **more)

    async def put(self, path: str, json: Any = None, **more: Any) -> Answer:
        """PUT."""
        return await self.call("PUT", path, json, **more)

    async def delete(self, path: str, **more: Any) -> Answer:
        """DELETE."""
        return await self.call("DELETE", path, **more)


class _PromptServer(Server):
    """Our services' server; it reacts to events instead of looking every 100 ms."""

    def __init__(self, app: FastAPI, config: uvicorn.Config) -> None:
        super().__init__(app, config)
        self.leave = asyncio.Event()

    def _give_up(self) -> None:
        super()._give_up()
        self.leave.set()

    async def main_loop(self) -> None:
        """Serve until `leave` is set."""
        await self.on_tick(0)  # it sets the default headers of all answers
        await self.leave.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept no more connections, finish the requests in progress, and stop."""
        self._stopping.set()
        for server in self.servers:
            server.close()
        for one in sockets or []:
            one.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()

        async def ended() -> bool:
            return not (self.server_state.connections or self.server_state.tasks)

        await until(ended, every=0.002)
        for server in self.servers:
            await server.wait_closed()
        await self.lifespan.shutdown()


class Api(Client):
    """Calls one service that runs in this process as `app`; checks each answer.

    Its problem is declared, and a command of staff is in the audit trail.
    """

    def __init__(self, app: FastAPI, url: str, session: aiohttp.ClientSession) -> None:
        super().__init__(url, session)
        self.app = app

    async def operations(self, path: str) -> Answer:
        """Get a page of the port of operations, which is open for this one request."""
        alone = FastAPI()
        alone.mount("/", self.app.state.operations)
        async with loopback_server(alone) as url:
            return await Client(url, self._session).get(path)

    async def call(self, method: str, path: str, json: Any = None, **more: Any) -> Answer:
        """Send one request. Fails if the answer has an undeclared code or is not recorded."""
        answer = await super().call(method, path, json, **more)
        kind = answer.headers.get("Content-Type", "")
        if kind in ("application/json", "application/problem+json"):
            wrapped = "Carrel-Changes" in answer.headers
            body = orjson.dumps(answer.json()["answer"]) if wrapped else answer.body
            codes = undeclared(self.app, method, path, answer.status, body)
            assert codes == [], f"{method} {path} does not declare {codes} (shared/refusals.py)"
        changes = method != "GET" and answer.status < 400 and is_operation(self.app, method, path)
        if changes and acts_are_recorded(more.get("as_")):
            request_id = answer.headers["x-request-id"]
            assert await is_recorded(self.app, request_id), f"{method} {path} is in no audit trail"
        return answer

    async def job(self, name: str, *, at: str | None = None) -> int:
        """Run a job once, as an operator; return the number of things done."""
        answer = await self.insist("POST", f"/v1/ops/jobs/{name}", as_=OPS, at=at)
        assert answer.status == 200, answer.body
        return int(answer.json()["done"])


@contextlib.asynccontextmanager
async def loopback_server(app: FastAPI) -> AsyncIterator[str]:
    """Serve an app on a loopback port until the block ends; yield its address."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="on",
        timeout_keep_alive=60,  # longer than a client keeps an idle connection
    )
    server = _PromptServer(app, config)
    with port_for(app.title) as port:
        serving = asyncio.create_task(server.serve(sockets=[listening(port)]))
        try:
            async with patience.within(60):
                while not server.started:
                    if serving.done():
                        serving.result()
                    await asyncio.sleep(0.01)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.leave.set()
            await serving


@contextlib.asynccontextmanager
async def served(
    create_app: Callable[[Any], FastAPI],
    settings: Settings,
    *,
    trust_test_keys: bool = True,
    wait_for_store: bool = True,
) -> AsyncIterator[Api]:
    """Run a service until the block ends, and yield a client of it once it is ready.

    For most tests `settings.roles` is ("api",): commands and queries on the real database, with
    the events left in the outbox, where a test can look at them.
    """
    async with (
        application(create_app, settings) as app,
        loopback_server(app) as url,
        aiohttp.ClientSession() as session,
    ):
        if wait_for_store:
            await until(lambda: _stored(app), every=0.005)
        if trust_test_keys:
            app.state.verifier = Verifier(test_keys)
        yield Api(app, url, session)


async def _stored(app: FastAPI) -> bool:
    return bool(app.state.stored)


async def until(
    condition: Callable[[], Awaitable[Any]], *, within: float = 60.0, every: float = 0.02
) -> Any:
    """Wait until `condition` returns a true value, and return that.

    Raises TimeoutError after `within` seconds, stretched.
    """
    limit = patience.stretched(within)
    deadline = time.monotonic() + limit
    while True:
        found = await condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise TimeoutError(f"{condition} did not come true in {limit:.0f} s")
        await asyncio.sleep(every)


@contextlib.asynccontextmanager
async def plans(database: Database, field: str) -> AsyncIterator[set[str]]:
    """Give the plans by which MongoDB finds documents by a field; they are there at the end."""
    found: set[str] = set()
    places = (f"filter.{field}", f"query.{field}", f"q.{field}")
    asked = {"$or": [{f"command.{place}": {"$exists": True}} for place in places]}
    await database.command("profile", 1, filter=asked)
    yield found
    await database.command("profile", 0, filter="unset")
    found |= {look.get("planSummary", "") async for look in database["system.profile"].find()}
    await database.drop_collection("system.profile")
