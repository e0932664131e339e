"""The HTTP server of a service."""

import asyncio
import socket

import uvicorn
from fastapi import FastAPI


class Server(uvicorn.Server):
    """A server that the app can observe and stop.

    It sets `app.state.stopping` before it waits for the app's responses to end, because a stream of
    events has no end of its own and the lifespan ends only after all answers. An app that can't do
    its work calls `app.state.give_up` to stop the server; `failed` then means that the process is
    to be restarted.
    """

    def __init__(self, app: FastAPI, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._stopping = app.state.stopping = asyncio.Event()
        self.failed = False
        app.state.give_up = self._give_up

    def _give_up(self) -> None:
        self.failed = self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept no more connections, finish the requests in progress, and stop."""
        self._stopping.set()
        await super().shutdown(sockets)
