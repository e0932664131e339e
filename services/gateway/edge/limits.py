"""Rate limits: a bucket of requests for each caller, shared by all replicas.

A replica does not ask the store for each request. It takes one share of the shared bucket at a
time, and grants the first share of a minute without asking. So an occasional caller costs no round
trip, and a caller may have up to one share more a minute on each replica.
"""

import asyncio
import math
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import orjson
from pymongo.errors import PyMongoError
from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.gateway.settings import Settings
from services.gateway.views.store import buckets
from services.gateway.web.session import SESSION, tokens_in
from services.registry import SERVICES
from shared.auth import Caller, Unauthenticated, Verifier
from shared.deadlines import allowed
from shared.http.client_address import CROWDED_SCOPE, caller_at
from shared.http.problems import TOO_MANY_REQUESTS, problem
from shared.owners import OwnerAway

MINUTE = 60.0
SHARES = 20
"""Number of shares in a bucket. A replica takes one share at a time."""
STORE_SECONDS = 0.2
"""Time limit of the store for lending a share; after a timeout it is not asked for a second."""
KNOWN_CALLERS = 20_000
"""Maximum number of callers whose shares are kept; the one known longest is evicted."""

LONGEST_LOG_IN = 4096
"""Bytes of a log-in that are searched for the token of a device."""

_ANNOUNCES = tuple(path for service in SERVICES for path in service.announces)
_LOG_INS = ("/v1/sessions", "/v1/sessions/passkey", "/v1/sessions/provider")
_OF_GUESTS = ("/v1/guest-enquiries", "/v1/card-applications")
"""Paths at which each request of a guest sends an e-mail."""
_SEARCHES = tuple(path for service in SERVICES for path in service.searches)
_SOUGHT = re.compile(rb"(?:^|&)(?:q|title|author|subject|series|sort|facets)=")
"""Parameters of words, of an order and of counts; each makes a search expensive."""

Lend = Callable[[str, int, int], Awaitable[int]]
"""Function `(whose, wanted, per_minute)`: requests that the bucket grants, 0 to `wanted`."""


@dataclass
class Share:
    """Requests that a replica may still grant to one caller without asking the store."""

    left: int
    since: float
    empty_until: float = 0.0
    asking: asyncio.Lock = field(default_factory=asyncio.Lock)


class Buckets:
    """Shares that this replica holds."""

    def __init__(self, lend: Lend) -> None:
        self._lend = lend
        self._shares: dict[str, Share] = {}
        self._store_rests_until = 0.0

    async def take(self, whose: str, per_minute: int) -> int | None:
        """Take one request; return how many are left in the share, None if it had none."""
        size = max(1, per_minute // SHARES)
        share = self._share(whose, size)
        if not share.left:
            async with share.asking:
                await self._refill(share, whose, size, per_minute)
        if not share.left:
            return None
        share.left -= 1
        return share.left

    def _share(self, whose: str, size: int) -> Share:
        now = time.monotonic()
        share = self._shares.get(whose)
        if share is None or now - share.since >= MINUTE:
            if share is None and len(self._shares) >= KNOWN_CALLERS:
                del self._shares[next(iter(self._shares))]
            share = self._shares[whose] = Share(size, now)
        return share

    async def _refill(self, share: Share, whose: str, size: int, per_minute: int) -> None:
        now = time.monotonic()
        if share.left or now < share.empty_until:
            return  # another request of the same caller has asked meanwhile
        if now < self._store_rests_until:
            share.left = size
            return
        try:
            async with asyncio.timeout(allowed(STORE_SECONDS)):
                share.left = await self._lend(whose, size, per_minute)
        except (PyMongoError, TimeoutError):
            # Without the store no request can be counted; callers must not suffer from that.
            self._store_rests_until = time.monotonic() + 1
            share.left = size
        if not share.left:
            share.empty_until = time.monotonic() + MINUTE / per_minute


class Limits:
    """Apply the rate limits to all routes but probes: answer 429 above a limit."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._buckets: Buckets | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http" or is_probe(scope):
            await self._app(scope, receive, send)
            return
        name, whose, per_minute = await self._limit(scope)
        if not per_minute:
            await self._app(scope, receive, send)
            return
        taken = await self._bucket(scope).take(whose, per_minute)
        if taken is None and name == "log-in" and _logs_in(scope):
            device, receive = await _has_device(receive)
            if device and await self._take_of_address(scope):
                scope[CROWDED_SCOPE] = True
                await self._app(scope, receive, send)
                return
        if taken is None:
            await _too_many(name, per_minute)(scope, receive, send)
            return

        async def send_with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                policy, rest = f'"{name}";q={per_minute};w=60', f'"{name}";r={taken}'
                message["headers"] = [
                    *message["headers"],
                    (b"ratelimit-policy", policy.encode()),
                    (b"ratelimit", rest.encode()),
                ]
            await send(message)

        await self._app(scope, receive, send_with_policy)

    async def _take_of_address(self, scope: Scope) -> bool:
        """Take a request of the address; return whether it had one left."""
        per_minute = self._settings.limits["address"]
        whose = f"address {_address(scope)}"
        return not per_minute or await self._bucket(scope).take(whose, per_minute) is not None

    def _bucket(self, scope: Scope) -> Buckets:
        if self._buckets is None:
            database = scope["app"].state.database
            self._buckets = Buckets(
                lambda whose, wanted, per_minute: buckets.lend(database, whose, wanted, per_minute)
            )
        return self._buckets

    async def _limit(self, scope: Scope) -> tuple[str, str, int]:
        """Return kind, bucket and requests per minute of the limit that applies to a request."""
        if _is_about_pins(scope) and not await _is_of_station(scope):  # with a token or without
            kind, whose = "log-in", f"log-in {_address(scope)}"
        elif scope["path"] in _OF_GUESTS and scope["method"] == "POST":
            kind, whose = "ask", f"ask {_address(scope)}"
        elif scope["path"] == "/v1/visits" and scope["method"] == "POST":
            kind, whose = "visit", f"visit {_address(scope)}"
        else:
            caller = await caller_of(scope)
            whose = f"caller {caller.id}" if caller else f"address {_address(scope)}"
            if _is_search(scope):
                kind, whose = "search", f"search {whose}"
            elif caller is None:
                kind = "address"
            elif not is_at_desk(caller):
                kind = "caller"
            elif _announces(scope):
                kind, whose = "announce", f"announce {whose}"
            else:
                kind = "desk"
        return kind, whose, self._settings.limits[kind]


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return caller_at(client[0] if client else "")


def _is_about_pins(scope: Scope) -> bool:
    """Return whether a request may be a guess of a PIN, or of a code to choose one."""
    path: str = scope["path"]
    return _logs_in(scope) or path.startswith(
        ("/v1/pin-resets", "/v1/second-factors", "/v1/card-applications/")
    )


async def _is_of_station(scope: Scope) -> bool:
    """Return whether a station logs a patron in: all its patrons come through one address."""
    caller = await caller_of(scope) if _logs_in(scope) else None
    return caller is not None and "verify" in caller.rights


def _logs_in(scope: Scope) -> bool:
    path: str = scope["path"]
    return path in _LOG_INS and scope["method"] != "DELETE"


async def _has_device(receive: Receive) -> tuple[bool, Receive]:
    """Return whether a log-in has the token of a device, and a way to receive the request again."""
    came: list[Message] = []
    body, more = b"", True
    while more and len(body) <= LONGEST_LOG_IN:
        came.append(await receive())
        body += came[-1].get("body", b"")
        more = came[-1].get("more_body", False)

    async def again() -> Message:
        return came.pop(0) if came else await receive()

    try:
        typed = orjson.loads(body) if len(body) <= LONGEST_LOG_IN else None
    except ValueError:
        typed = None
    return isinstance(typed, dict) and bool(typed.get("device_token")), again


def _announces(scope: Scope) -> bool:
    """Return whether a command may be told to patrons, to one or to all."""
    path: str = scope["path"]
    return scope["method"] != "GET" and path.startswith(_ANNOUNCES)


def _is_search(scope: Scope) -> bool:
    """Return whether a request searches for words, which costs more than to read one thing."""
    searches = scope["method"] == "GET" and scope["path"] in _SEARCHES
    return searches and bool(_SOUGHT.search(scope["query_string"]))


def _too_many(name: str, per_minute: int) -> ASGIApp:
    wait = math.ceil(MINUTE / per_minute)
    headers = {
        "Retry-After": str(wait),
        "RateLimit-Policy": f'"{name}";q={per_minute};w=60',
        "RateLimit": f'"{name}";r=0;t={wait}',
    }
    detail = f"More than {per_minute} requests a minute. Try again later."
    return problem(TOO_MANY_REQUESTS, detail, headers=headers)


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
