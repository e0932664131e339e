"""Refuse the tokens of ended sessions, at every replica and as soon as the store has them.

A change stream of the replica reports each session that ends, whichever replica or consumer wrote
it. It needs no resume token: once it is open again, all stored sessions are read again.
"""

import asyncio
import contextlib
from collections.abc import Sequence

import structlog
from fastapi import FastAPI
from pymongo.errors import PyMongoError

from services.gateway.views.store.reads import ended_sessions
from services.gateway.views.store.schema import SessionEnd
from services.gateway.views.stream import Streams
from shared.auth import Verifier

log = structlog.get_logger()

AGAIN_SECONDS = 0.2


def refuse(app: FastAPI, ended: Sequence[SessionEnd]) -> None:
    """Refuse the tokens of these sessions at this replica, and end their streams."""
    verifier: Verifier = app.state.verifier
    streams: Streams = app.state.streams
    for session in ended:
        verifier.end(session.session_id, session.expires_at.timestamp())
        streams.changed(session.account_id)


async def watch_sessions(app: FastAPI) -> None:
    """Refuse the tokens of each session that ends, until cancelled."""
    while True:
        try:
            async with contextlib.aclosing(ended_sessions(app.state.database)) as stream:
                async for ended in stream:
                    refuse(app, ended)
                    app.state.sessions_known = True
        except PyMongoError as error:
            log.warning("ended sessions are not watched", error=type(error).__name__)
        await asyncio.sleep(AGAIN_SECONDS)  # the collection was dropped, or the store is away


async def sessions_health(app: FastAPI) -> tuple[bool, str]:
    """Return whether tokens can be accepted: not before the ended sessions were read once."""
    known = getattr(app.state, "sessions_known", False)
    return known, "ok" if known else "being read"
