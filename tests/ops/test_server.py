"""The server of a service listens on a second port for operators."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncIterator

import aiohttp
import pytest
import uvicorn
from fastapi import FastAPI

from ops.server import Server, config_of
from services.settings import Settings
from shared import owners
from shared.http.health import add_health
from shared.http.service import Service
from tests import patience
from tests.support import until
from tests.warm import port_for


def apps() -> FastAPI:
    """Return an app with another one for operators."""
    app, operations = FastAPI(), FastAPI()

    @app.get("/")
    async def public() -> str:
        return "public"

    @operations.get("/details")
    async def details() -> str:
        return "details"

    app.state.operations = operations
    return app


def bound() -> socket.socket:
    """Return a socket that is bound to a free port."""
    return socket.create_server(("127.0.0.1", 0))


async def test_details_are_on_the_port_of_operations_alone() -> None:
    with bound() as api, port_for("operations") as port:
        app = apps()
        config = uvicorn.Config(app, host="127.0.0.1", log_config=None, access_log=False)
        server = Server(app, config, operations_port=port)
        serving = asyncio.create_task(server.serve(sockets=[api]))

        async def listens() -> bool:
            return len(getattr(server, "servers", ())) == 2

        await until(listens)
        async with aiohttp.ClientSession() as session:

            async def status(port: int, path: str) -> int:
                async with session.get(f"http://127.0.0.1:{port}{path}") as answer:
                    return answer.status

            public = api.getsockname()[1]
            assert [await status(public, path) for path in ("/", "/details")] == [200, 404]
            assert [await status(port, path) for path in ("/", "/details")] == [404, 200]
        server.should_exit = True
        await serving
    assert not server.failed


async def test_a_process_ends_if_its_port_of_operations_is_taken() -> None:
    with bound() as api, bound() as taken:
        app = apps()
        config = uvicorn.Config(app, host="127.0.0.1", log_config=None, access_log=False)
        server = Server(app, config, operations_port=taken.getsockname()[1])
        async with patience.within(60):
            await server.serve(sockets=[api])
    assert server.failed


async def test_a_server_that_is_told_to_stop_does_not_wait_for_its_tick(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ops.server.TICK_SECONDS", 3600)
    with bound() as api:
        app = apps()
        config = uvicorn.Config(app, host="127.0.0.1", log_config=None, access_log=False)
        server = Server(app, config)
        serving = asyncio.create_task(server.serve(sockets=[api]))

        async def ticked() -> bool:
            return bool(server.server_state.default_headers)

        await until(ticked)
        async with patience.within(60):
            # As a signal, whose handler interrupts the loop.
            await asyncio.to_thread(server.handle_exit, signal.SIGTERM, None)
            server._captured_signals.clear()  # else uvicorn raises it again
            await serving


def test_a_server_keeps_idle_connections_longer_than_its_clients() -> None:
    """A client that sends on a connection that is being closed can't know if it was received."""
    idle = config_of(FastAPI(), Settings(), None).timeout_keep_alive
    assert idle > owners.IDLE_SECONDS
    # Google's load balancers keep theirs longest of those that can't be set otherwise.
    assert idle > 600


@contextlib.asynccontextmanager
async def draining(app: FastAPI, api: socket.socket) -> AsyncIterator[Server]:
    """Run a server that drains for an hour, and tell it to stop."""
    config = config_of(app, Settings(host="127.0.0.1"), None)
    server = Server(app, config, drain_seconds=3600)
    serving = asyncio.create_task(server.serve(sockets=[api]))

    async def serves() -> bool:
        return bool(server.started and server._loop)

    await until(serves)
    server.should_exit = True
    async with patience.within(60):
        await app.state.draining.wait()
    yield server
    server.should_exit = True  # a second signal ends the drain
    async with patience.within(60):
        await serving


async def test_a_process_that_is_told_to_stop_says_so_first_and_still_answers() -> None:
    app = FastAPI()
    app.get("/")(lambda: "done")
    service = Service(name="circulation", title="", routers=(), indexes={})
    operations = add_health(app, service, Settings())
    app.state.operations = operations
    with bound() as api:
        url = f"http://127.0.0.1:{api.getsockname()[1]}"
        async with draining(app, api), aiohttp.ClientSession() as session:
            async with session.get(f"{url}/health/live") as live:
                assert (live.status, await live.json()) == (503, {"status": "stopping"})
            async with session.get(url) as answer:  # on a new connection
                assert (answer.status, await answer.json()) == (200, "done")
                assert answer.headers["Connection"] == "close"
            assert not app.state.stopping.is_set()
        assert app.state.stopping.is_set()
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.ClientConnectorError):
                await session.get(url)
