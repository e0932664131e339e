"""Refusals while too much is asked at once: of strangers first, of the desk last."""

from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.gateway.edge.callers import caller_of, is_at_desk, is_probe
from services.gateway.settings import Settings
from services.gateway.web.api import OF_A_PAGE
from shared.http.problems import AWAY, UNAVAILABLE, problem

SHARE_OF_STRANGERS = 0.5
SHARE_OF_PATRONS = 0.8
"""Part of the requests in progress from which on those of others are refused."""
_SESSIONS = ("/v1/sessions", "/log-in")
"""Paths at which strangers become patrons or librarians: they count as patrons there."""


class RefuseWhenBusy:
    """Refuse requests with 503 by rank, while this replica has many in progress.

    A request is in progress until its response begins: neither a stream nor a client that reads
    slowly counts. The requests that a page makes to the API belong to that of the page.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._most = settings.busy_requests
        self._in_progress = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        passes = scope["type"] != "http" or not self._most or OF_A_PAGE in scope
        if passes or is_probe(scope):
            await self._app(scope, receive, send)
            return
        if self._in_progress >= await self._allowed(scope):
            detail = "Too many requests are in progress now. Try again."
            await problem(UNAVAILABLE, detail, headers=AWAY)(scope, receive, send)
            return
        self._in_progress += 1
        counted = True

        def begun() -> None:
            nonlocal counted
            self._in_progress -= counted
            counted = False

        async def send_and_note(message: Message) -> Any:
            if message["type"] == "http.response.start":
                begun()
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        finally:
            begun()

    async def _allowed(self, scope: Scope) -> float:
        """Return from how many requests in progress on this one is refused."""
        if self._in_progress < self._most * SHARE_OF_STRANGERS:
            return self._most  # the usual case: nobody has to be known for it
        caller = await caller_of(scope)
        if caller is not None and is_at_desk(caller):
            return self._most
        known = caller is not None or scope["path"].startswith(_SESSIONS)
        return self._most * (SHARE_OF_PATRONS if known else SHARE_OF_STRANGERS)
