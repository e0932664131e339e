"""The HTTP server of a service."""

import asyncio
import contextlib
import socket

import structlog
import uvicorn
from fastapi import FastAPI

from ops.wire import BoundedProtocol
from shared.settings import Settings
from shared.tls import ServerCertificate

log = structlog.get_logger()

TICK_SECONDS = 1.0
"""Seconds between two changes of the header `Date`."""
IDLE_SECONDS = 620
"""Seconds for which a connection may be idle.

Longer than every client keeps one: if this end closed it first, a command that nobody may send
again could be lost. nginx and the load balancers of AWS keep theirs for 60 s, Google's for 600 s,
which can't be changed there.
"""
GRACE_SECONDS = 5
"""Seconds for requests in progress to end; else a client that reads nothing delays a stop."""


def config_of(
    app: FastAPI, settings: Settings, certificate: ServerCertificate | None
) -> uvicorn.Config:
    """Return the configuration of the server of a service; without a certificate it has no TLS."""
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=BoundedProtocol,
        # Proxies whose X-Forwarded-For is trusted: callers without a token are counted by it.
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies,
        lifespan="on",
        access_log=False,
        log_config=None,  # the chassis sets up logs
        server_header=False,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
        ssl_context_factory=(lambda *_: certificate.context) if certificate else None,
    )


class Server(uvicorn.Server):
    """A server that the app can observe and stop, with a second port for operators without TLS.

    When it is told to stop, it sets `app.state.draining`, so that the process says that it is not
    ready, and serves for `drain_seconds` more: callers learn to use other replicas meanwhile, and
    close their connections.

    It sets `app.state.stopping` before it waits for the app's responses to end, because a stream of
    events has no end of its own and the lifespan ends only after all answers. An app that can't do
    its work calls `app.state.give_up` to stop the server; `failed` then means that the process is
    to be restarted.
    """

    def __init__(
        self,
        app: FastAPI,
        config: uvicorn.Config,
        *,
        operations_port: int | None = None,
        drain_seconds: float = 0.0,
        certificate: ServerCertificate | None = None,
    ) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._exit = False
        self._exits = asyncio.Event()
        super().__init__(config)
        self._app = app
        self._operations_port = operations_port
        self._drain_seconds = drain_seconds
        self._certificate = certificate
        self._draining = app.state.draining = asyncio.Event()
        self._stopping = app.state.stopping = asyncio.Event()
        self.failed = False
        app.state.give_up = self._give_up

    @property
    def should_exit(self) -> bool:
        """True once the server is to stop."""
        return self._exit

    @should_exit.setter
    def should_exit(self, value: bool) -> None:
        self._exit = value
        if value and self._loop is not None:
            self._loop.call_soon_threadsafe(self._exits.set)  # also called by signal handlers

    async def main_loop(self) -> None:
        """Serve until the server is to stop. uvicorn's own loop looks ten times a second."""
        self._loop = asyncio.get_running_loop()
        while not await self.on_tick(0):
            if self._certificate:
                self._certificate.renew()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK_SECONDS):
                    await self._exits.wait()

    def _give_up(self) -> None:
        self.failed = self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the app, and listen on its port and on that of operations."""
        await super().startup(sockets)
        if self._operations_port is None or self.should_exit:
            return
        config = uvicorn.Config(
            self._app.state.operations,
            http=self.config.http,
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_keep_alive=self.config.timeout_keep_alive,
        )
        config.load()

        def protocol() -> asyncio.Protocol:
            # Its connections and requests are among those that a shutdown waits for.
            return config.http_protocol_class(  # type: ignore[call-arg]
                config=config, server_state=self.server_state, app_state={}
            )

        loop, port = asyncio.get_running_loop(), self._operations_port
        try:
            listening = await loop.create_server(protocol, self.config.host, port)
        except OSError as error:
            log.error("no port for operations", port=port, error=str(error))  # noqa: TRY400
            self._give_up()
        else:
            self.servers.append(listening)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drain, accept no more connections, finish the requests in progress, and stop.

        A second signal, or the end of a task without which the process can't work, ends the drain.
        """
        self._exits.clear()
        self._draining.set()
        state = self.server_state
        state.default_headers = [*state.default_headers, (b"connection", b"close")]
        if not self.failed:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._drain_seconds):
                    await self._exits.wait()
        self._stopping.set()
        await super().shutdown(sockets)
