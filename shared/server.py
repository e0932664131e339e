"""The HTTP server that a service runs in."""

import asyncio
import socket

import uvicorn
from fastapi import FastAPI


class Server(uvicorn.Server):
    """Sets `app.state.stopping` before it waits for the app's answers to end.

    A stream of events has no end of its own, and the lifespan is told only after all answers.
    """

    def __init__(self, app: FastAPI, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._stopping = app.state.stopping = asyncio.Event()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more connections, finish what is in hand, stop."""
        self._stopping.set()
        await super().shutdown(sockets)
