"""For tests: a service on a free port in this loop, and tokens that it accepts."""

import asyncio
import contextlib
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

from shared.auth import ALGORITHM, AUDIENCE, ISSUER, Verifier
from shared.ids import new_id
from shared.server import Server
from shared.settings import Settings

KEY = OKPKey.generate_key("Ed25519", auto_kid=True)
S = TypeVar("S", bound=Settings)


def token(
    sub: str = "patron-1",
    roles: Sequence[str] = ("patron",),
    *,
    name: str = "Test",
    expires_in: float = 3600,
    issued_in: float = 0,
    audience: str = AUDIENCE,
    key: OKPKey = KEY,
) -> str:
    """A token as accounts would sign it, by a key of this test run."""
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": audience,
        "sub": sub,
        "roles": list(roles),
        "name": name,
        "iat": int(now + issued_in),
        "exp": int(now + expires_in),
    }
    return jwt.encode({"alg": ALGORITHM, "kid": KEY.kid}, claims, key, algorithms=[ALGORITHM])


async def test_keys() -> dict[str, Any]:
    """The public half of KEY, as accounts would publish it."""
    return {"keys": [KEY.as_dict(private=False)]}


test_keys.__test__ = False  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Answer:
    """What a service answered."""

    status: int
    headers: Mapping[str, str]
    """Case does not matter in their names."""
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return orjson.loads(self.body)


class Api:
    """Calls one service. `as_` is a token, `at` the business time (ISO, with offset)."""

    def __init__(self, app: FastAPI, url: str, session: aiohttp.ClientSession) -> None:
        self.app = app
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
        self, method: str, path: str, json: Any = None, *, within: float = 60.0, **more: Any
    ) -> Answer:
        """As a client that may try again: under one key, while it is told to (503).

        On a machine that stands still, or among many callers, the first try may take too long.
        """
        once = {"key": new_id(), **more}

        async def answered() -> Answer | None:
            answer = await self.call(method, path, json, **once)
            return None if answer.status == 503 else answer

        answer: Answer = await until(answered, within=within)
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

    async def delete(self, path: str, **more: Any) -> Answer:
        """DELETE."""
        return await self.call("DELETE", path, **more)


@contextlib.asynccontextmanager
async def loopback_server(app: FastAPI) -> AsyncIterator[str]:
    """An app on a free loopback port until the block ends; its address."""
    # Named as TCP, for asyncio sets TCP_NODELAY on no other: without it each answer takes 40 ms.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="on",
        timeout_keep_alive=60,  # longer than a client keeps an idle connection
    )
    server = Server(app, config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        async with asyncio.timeout(20):
            while not server.started:
                if serving.done():
                    serving.result()
                await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving


@contextlib.asynccontextmanager
async def served(
    create_app: Callable[[Any], FastAPI],
    settings: Settings,
    *,
    trust_test_keys: bool = True,
    wait_for_store: bool = True,
) -> AsyncIterator[Api]:
    """A service of ours, ready to answer, until the block ends.

    For most tests `settings.roles` is ("api",): commands and queries on the real database, with
    the events left in the outbox, where a test can look at them.
    """
    app = create_app(settings)
    async with loopback_server(app) as url, aiohttp.ClientSession() as session:
        if wait_for_store:
            await until(lambda: _stored(app), within=20)
        if trust_test_keys:
            app.state.verifier = Verifier(test_keys)
        yield Api(app, url, session)


async def _stored(app: FastAPI) -> bool:
    return bool(app.state.stored)


async def until(
    condition: Callable[[], Awaitable[Any]], *, within: float = 10.0, every: float = 0.02
) -> Any:
    """Wait until `condition` gives something true, and give it. Raises TimeoutError."""
    deadline = time.monotonic() + within
    while True:
        found = await condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise TimeoutError(f"{condition} did not come true in {within} s")
        await asyncio.sleep(every)
