"""Renew the session of a browser before its access token expires, so that no page notices."""

import asyncio
import time

from pymongo.errors import PyMongoError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.gateway.web import session
from services.gateway.web.api import Api
from services.gateway.web.session import Tokens
from shared.auth import Unauthenticated, Verifier
from shared.deadlines import allowed
from shared.owners import OwnerAway

RENEW_SECONDS = 0.8
"""Time limit of accounts for a renewal: the page itself has to be answered too."""
_NO_PAGES = ("/v1/", "/static/", "/health/", "/openapi.json")


class RenewSession:
    """Middleware that renews a session with a request for a page.

    It does so in the second half of the access token's life, or if the token is refused: it may be
    signed by a key that was revoked.

    The pages of several windows may do so at the same time: accounts gives all of them the same new
    tokens. While accounts does not answer, the visitor goes on with the present token until it
    expires.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Renew the session if it is time; pass the request on."""
        if scope["type"] != "http" or scope["path"].startswith(_NO_PAGES):
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        kept = session.tokens_in(session.cookie(request, session.SESSION))
        if not (kept.renewal and (_is_due(kept) or await _is_refused(request, kept))):
            await self._app(scope, receive, send)
            return
        tokens = await _renewed(request, kept)
        if tokens is None:
            setattr(request.state, session.NOT_RENEWED, True)
            await self._app(scope, receive, send)
            return
        setattr(request.state, session.RENEWED, tokens.access)

        async def send_with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_cookie(request, message, tokens)]
            await send(message)

        await self._app(scope, receive, send_with_cookie)


def _is_due(tokens: Tokens) -> bool:
    """Return whether the access token has lived for half of its time."""
    claims = tokens.claims
    try:
        return bool(time.time() >= (claims["iat"] + claims["exp"]) / 2)
    except (KeyError, TypeError):
        return False


async def _is_refused(request: Request, tokens: Tokens) -> bool:
    verifier: Verifier = request.app.state.verifier
    try:
        async with asyncio.timeout(allowed(RENEW_SECONDS)):
            await verifier.caller(tokens.access)
    except Unauthenticated:
        return True
    except (OwnerAway, PyMongoError, TimeoutError):
        return False
    return False


async def _renewed(request: Request, kept: Tokens) -> Tokens | None:
    """Return new tokens, those until now without their renewal token if the session has ended.

    None if accounts does not answer.
    """
    body = {"renewal_token": kept.renewal}
    try:
        async with asyncio.timeout(allowed(RENEW_SECONDS)):
            reply = await Api(request, None, "en").send("POST", "/v1/sessions/renewal", body)
    except TimeoutError:
        return None
    if reply.done:
        given = reply.json()
        return Tokens(given["access_token"], given["renewal_token"])
    return Tokens(kept.access) if reply.status in (401, 422) else None


def _cookie(request: Request, start: Message, tokens: Tokens) -> list[tuple[bytes, bytes]]:
    """Return the header that keeps the tokens; none if the answer sets another session itself."""
    carrier = Response()
    session.keep(request, carrier, session.SESSION, tokens.cookie)
    [(name, value)] = [one for one in carrier.raw_headers if one[0] == b"set-cookie"]
    beginning = value.partition(b"=")[0] + b"="
    itself = any(
        header.lower() == b"set-cookie" and sent.startswith(beginning)
        for header, sent in start["headers"]
    )
    return [] if itself else [(name, value)]
