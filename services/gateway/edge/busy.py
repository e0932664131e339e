"""Refusals while too much is asked at once: of strangers first, of the desk last."""

import asyncio
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.gateway.edge.limits import caller_of, is_at_desk, is_probe
from services.gateway.settings import Settings
from services.gateway.views.overviews import OVERVIEW, OverviewService
from services.gateway.web.api import OF_A_PAGE
from shared.auth import known_caller
from shared.deadlines import allowed
from shared.http.dependencies import business_time
from shared.http.problems import AWAY, UNAVAILABLE, problem

SHARE_OF_STRANGERS = 0.5
SHARE_OF_PATRONS = 0.8
"""Part of the requests in progress from which on those of others are refused."""
_SESSIONS = (
    *(
        "/v1/sessions",
        "/v1/sessions/passkey",
        "/v1/sessions/provider",
        "/log-in",
        "/log-in/passkey",
    ),
    *("/log-in/provider", "/log-in/provider/callback", "/paia/auth/login"),
)
"""Paths at which strangers become patrons or librarians: they count as patrons there."""
LATE_SECONDS = 0.2
"""A response that begins later than this is late: a client that is not refused shall have 95 of 100
responses within 300 ms, of which the rest is for the way to this layer."""
LEAST = 20
"""Requests in progress that are always allowed. With fewer, a late response has another cause."""
LESS_BY_LATE = 0.05
"""Part by which a late response lowers the number of allowed requests."""


class RefuseWhenBusy:
    """Refuse requests with 503 by rank, while this replica has many in progress.

    A patron who asks for their account gets it as it was last known here, with its age.

    A request is in progress until its response begins, but not while a part of its body is awaited:
    neither a stream nor a client that sends or reads slowly counts. The requests that a page makes
    to the API belong to that of the page.

    How many are allowed follows the time that they take, as the window of TCP does: each late
    response lowers the number, and as many responses in time as it has requests raise it by one.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._most = settings.busy_requests
        self._allowed = float(self._most)
        self._in_progress = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        passes = scope["type"] != "http" or not self._most or OF_A_PAGE in scope
        if passes or is_probe(scope):
            await self._app(scope, receive, send)
            return
        allowed = await self._allowed_to(scope)
        if self._in_progress >= allowed:  # no other request can begin between this and count()
            if kept := _last_account(scope):
                await kept(scope, receive, send)
                return
            detail = "Too many requests are in progress now. Try again."
            await problem(UNAVAILABLE, detail, headers=AWAY)(scope, receive, send)
            return
        clock = asyncio.get_running_loop().time
        since = clock()
        counted = begun = False

        def count(now: bool) -> None:
            nonlocal counted
            self._in_progress += now - counted
            counted = now

        def begin() -> None:
            nonlocal begun
            if not begun:
                self._note(clock() - since)
            begun = True
            count(False)

        async def receive_uncounted() -> Message:
            nonlocal since
            if begun:
                return await receive()
            count(False)
            asked = clock()
            try:
                return await receive()
            finally:
                since += clock() - asked
                count(not begun)

        async def send_and_note(message: Message) -> Any:
            if message["type"] == "http.response.start":
                begin()
            await send(message)

        count(True)
        try:
            await self._app(scope, receive_uncounted, send_and_note)
        finally:
            begin()

    def _note(self, seconds: float) -> None:
        """Adapt how many requests are allowed to the time that one of those in progress took."""
        if seconds <= allowed(LATE_SECONDS):
            self._allowed = min(self._most, self._allowed + 1 / self._allowed)
        elif self._in_progress > LEAST:
            lower = min(self._allowed, self._in_progress) * (1 - LESS_BY_LATE)
            self._allowed = min(self._allowed, max(LEAST, lower))

    async def _allowed_to(self, scope: Scope) -> float:
        """Return from how many requests in progress on this one is refused."""
        if self._in_progress < self._allowed * SHARE_OF_STRANGERS:
            return self._allowed  # the usual case: nobody has to be known for it
        caller = await caller_of(scope)
        if caller is not None and is_at_desk(caller):
            return self._allowed
        known = caller is not None or scope["path"].startswith(_SESSIONS)
        return self._allowed * (SHARE_OF_PATRONS if known else SHARE_OF_STRANGERS)


def _last_account(scope: Scope) -> Response | None:
    """Return the account of a patron as it was last known here, if the request is for it."""
    if scope["path"] != OVERVIEW or scope["method"] != "GET":
        return None
    request = Request(scope)
    try:
        caller = known_caller(request)
        if caller is None or "patron" not in caller.roles:
            return None
        overviews: OverviewService = request.app.state.overviews
        return overviews.last(caller, request, business_time(request))
    except HTTPException:
        return None  # when it is less busy, the route reports what is wrong with the request
