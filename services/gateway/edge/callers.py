"""The sender of a request, as the limits of the edge see it: before any route has checked it."""

import asyncio

from pymongo.errors import PyMongoError
from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.types import Scope

from services.gateway.web.session import SESSION, tokens_in
from shared.auth import Caller, Unauthenticated, Verifier
from shared.deadlines import allowed
from shared.owners import OwnerAway

VERIFY_SECONDS = 0.3
"""Time limit for a token whose key has to be fetched; until then its address counts."""


async def caller_of(scope: Scope) -> Caller | None:
    """Return the caller of a valid token. Forged tokens must not get anything of their own."""
    if "carrel.caller" not in scope:
        scope["carrel.caller"] = await _verified(scope)
    caller: Caller | None = scope["carrel.caller"]
    return caller


async def _verified(scope: Scope) -> Caller | None:
    token = token_of(Headers(scope=scope))
    if not token or len(token) > 4096:
        return None
    verifier: Verifier = scope["app"].state.verifier
    known = verifier.known(token)
    if known is not None:
        return known
    try:
        async with asyncio.timeout(allowed(VERIFY_SECONDS)):
            return await verifier.caller(token)
    except (Unauthenticated, OwnerAway, PyMongoError, TimeoutError):
        return None


def is_probe(scope: Scope) -> bool:
    """Return whether a request only asks whether the process answers."""
    return bool(scope["path"] == "/health/live")


def is_at_desk(caller: Caller) -> bool:
    """Return whether a caller works for the library: staff, a station, an operator …"""
    return bool(caller.roles - {"patron"})


def token_of(headers: Headers) -> str:
    """Return the token of a client, or of a browser that is logged in on the gateway's pages."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if token:
        return token.strip() if scheme.lower() == "bearer" else ""
    cookies = cookie_parser(headers.get("cookie", ""))
    return tokens_in(cookies.get(SESSION) or cookies.get(f"__Host-{SESSION}", "")).access
