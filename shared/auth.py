"""Authentication and rights: verify access tokens and check the caller's rights for a route.

Tokens are verified with the public keys of the service that signs them, the issuer.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import aiohttp
from fastapi import Depends, Request
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from pymongo.errors import PyMongoError

from shared.deadlines import allowed
from shared.mongo import Database
from shared.owners import OwnerAway, first_answer
from shared.refusals import refuses
from shared.rights import ROLES, Right, opens, rights_of, roles_with
from shared.settings import Settings
from shared.telemetry import route_of
from shared.token_form import ALGORITHM, CLAIMS, is_sound, key_id, unverified

KNOWN_TOKENS = 10_000
PRUNE_FROM = 10_000
"""Number of ended sessions from which on expired ones are forgotten."""
RENEW_SECONDS = 15.0
"""Seconds between two fetches of the public keys.

A new key is known within this time, and stays known if the issuer goes away later.
"""
FETCH_PAUSE_SECONDS = 0.2
"""Least time between two fetches that tokens with unknown keys cause."""
AGAIN_SECONDS = 1.0
"""Seconds until the next fetch after one that found no keys."""
FETCH_SECONDS = 1.0
"""Seconds that the issuer has to answer with its keys.

Short, so that the stored keys can still serve the caller in time.
"""


class Unauthenticated(Exception):
    """The token is missing, altered, expired or meant for another system."""

    code: ClassVar[str] = "unauthenticated"
    status: ClassVar[int] = 401


class Forbidden(Exception):
    """The caller's roles don't allow this."""

    code: ClassVar[str] = "forbidden"
    status: ClassVar[int] = 403


@dataclass(frozen=True)
class Caller:
    """The sender of a request."""

    id: str
    """Patron id, or the id of a staff, station, ops or service account."""
    roles: frozenset[str]
    name: str
    token: str
    expires_at: float
    """Expiry of the token, in seconds since 1970."""
    session_id: str = ""
    """Session of the token; empty for a service."""
    scopes: frozenset[str] | None = None
    """Scopes that the token is limited to (shared/rights.py); None: to the roles alone."""

    @property
    def rights(self) -> frozenset[Right]:
        """The rights of the caller's roles (shared/rights.py)."""
        return rights_of(self.roles)


FetchKeys = Callable[[], Awaitable[dict[str, Any]]]


class Verifier:
    """Verifies tokens against a key set, and fetches the set again when a token names a new key.

    While `keep_renewed` runs, the keys are there before the first token comes, and a new key is
    known, and the tokens of a revoked key are refused, within RENEW_SECONDS. Tokens of sessions
    that were reported by `end` are refused.
    """

    def __init__(self, fetch: FetchKeys, issuer: str = "") -> None:
        self._fetch = fetch
        self._issuer = issuer
        self._keys: KeySet | None = None
        self._asked_at = -60.0
        self._known: dict[str, Caller] = {}
        self._ended: dict[str, float] = {}
        self._prune_at = PRUNE_FROM
        self._lock = asyncio.Lock()

    async def caller(self, token: str) -> Caller:
        """Return the caller that a token identifies. Raises Unauthenticated or OwnerAway.

        A verified token is remembered until it expires: verifying it again would cost more than
        the rest of a read here.
        """
        known = self.known(token)
        if known is not None:
            return known
        try:
            kid = key_id(token)
            keys = await self._keys_with(kid)
            decoded = jwt.decode(token, keys, algorithms=[ALGORITHM])
            claims = decoded.claims
            # Without the time of issue, for which the registry knows no skew.
            CLAIMS.validate({name: claims[name] for name in claims if name != "iat"})
            session_id = claims.get("sid", "")
            if not is_sound(decoded.header, claims) or self.has_ended(session_id):
                raise Unauthenticated
            caller = Caller(
                id=claims["sub"],
                roles=frozenset(claims["roles"]) & frozenset(ROLES),
                name=str(claims.get("name", "")),
                token=token,
                expires_at=float(claims["exp"]),
                session_id=session_id,
                scopes=frozenset(claims["scope"].split()) if "scope" in claims else None,
            )
            if len(self._known) >= KNOWN_TOKENS:
                self._known.clear()
            self._known[token] = caller
            return caller
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise Unauthenticated from error

    def known(self, token: str) -> Caller | None:
        """Return the caller of a token that was verified before and is still valid."""
        known = self._known.get(token)
        if known is None or known.expires_at <= time.time() or self.has_ended(known.session_id):
            return None
        return known

    def end(self, session_id: str, expires_at: float) -> None:
        """Refuse the tokens of a session, which all expire by `expires_at` (since 1970)."""
        if len(self._ended) >= self._prune_at:
            now = time.time()
            self._ended = {one: until for one, until in self._ended.items() if until > now}
            self._prune_at = max(PRUNE_FROM, 2 * len(self._ended))
        self._ended[session_id] = expires_at

    def has_ended(self, session_id: str) -> bool:
        """Return whether `end` reported this session."""
        return session_id in self._ended

    def is_of_ended_session(self, token: str) -> bool:
        """Return whether a token, verified or not, names a session that `end` reported."""
        known = self._known.get(token)
        if known is not None:
            return self.has_ended(known.session_id)
        return self.has_ended(str(unverified(token).get("sid", "")))

    def has_scopes(self, token: str) -> bool:
        """Return whether a token, verified or not, is limited to scopes."""
        known = self._known.get(token)
        return known.scopes is not None if known is not None else "scope" in unverified(token)

    async def _keys_with(self, kid: str) -> KeySet:
        if self._keys is not None and _has(self._keys, kid):
            return self._keys
        came = time.monotonic()
        async with self._lock:
            # Requests that wait share a fetch, and fetches have pauses: invented key ids neither
            # make this service ask the issuer each time, nor hide a key that has just been made.
            if self._keys is None or (not _has(self._keys, kid) and self._asked_at < came):
                await asyncio.sleep(self._asked_at + FETCH_PAUSE_SECONDS - time.monotonic())
                began = time.monotonic()
                keys = self._use(_key_set(await self._fetch(), self._issuer))
                self._asked_at = began
                return keys
            return self._keys

    def _use(self, keys: KeySet) -> KeySet:
        """Verify with these keys from now on; forget the tokens of keys that are no longer there.

        A key that was revoked disappears, while a replaced one stays until its tokens have expired.
        """
        if self._keys is not None and not all(_has(keys, str(key.kid)) for key in self._keys.keys):
            self._known = {
                token: caller for token, caller in self._known.items() if _has(keys, key_id(token))
            }
        self._keys = keys
        return keys

    async def keep_renewed(self) -> None:
        """Fetch the keys every RENEW_SECONDS, until cancelled."""
        while True:
            try:
                self._use(_key_set(await self._fetch(), self._issuer))
            except (OwnerAway, PyMongoError):
                await asyncio.sleep(AGAIN_SECONDS)
            else:
                await asyncio.sleep(RENEW_SECONDS)


def _key_set(said: dict[str, Any], issuer: str) -> KeySet:
    try:
        return KeySet.import_key_set(said)  # type: ignore[arg-type]
    except (JoseError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise OwnerAway(issuer) from error  # the answer is not a key set


def _has(keys: KeySet, kid: str) -> bool:
    return any(key.kid == kid for key in keys.keys)


def keys_from(
    session: Callable[[], aiohttp.ClientSession], settings: Settings, database: Database
) -> FetchKeys:
    """Return a function with which a service other than the issuer gets the public keys.

    The last keys are stored, so that a service that starts while the issuer is away still
    recognises its callers.
    """
    issuer = settings.issuer.service

    async def ask(address: str) -> dict[str, Any]:
        async with session().get(address + settings.issuer.keys) as response:
            if response.status != 200:
                raise OwnerAway(issuer)
            found: dict[str, Any] = await response.json()
            _key_set(found, issuer)
            return found

    async def fetch() -> dict[str, Any]:
        try:
            async with asyncio.timeout(allowed(FETCH_SECONDS)):
                keys = await first_answer(settings.urls_of(issuer), ask)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, OwnerAway) as error:
            kept = await database.known_keys.find_one({"_id": issuer}, {"_id": 0})
            if kept is None:
                raise OwnerAway(issuer) from error
            return kept
        with contextlib.suppress(PyMongoError):  # the next fetch stores them
            await database.known_keys.replace_one({"_id": issuer}, keys, upsert=True)
        return keys

    return fetch


def token_of(request: Request) -> str:
    """Return the bearer token of a request; empty if it has none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and len(token) <= 4096 else ""


def known_caller(request: Request) -> Caller | None:
    """Return the sender of a request if their token was verified before and is still valid.

    None too for a token with scopes, which only the dependencies of routes compare with the route.
    """
    verifier: Verifier = request.app.state.verifier
    known = verifier.known(token_of(request))
    return known if known is None or known.scopes is None else None


@refuses(Unauthenticated, Forbidden)
async def _caller(request: Request) -> Caller:
    token = token_of(request)
    if not token:
        raise Unauthenticated
    verifier: Verifier = request.app.state.verifier
    caller = await verifier.caller(token)
    if caller.scopes is not None and not opens(caller.scopes, _route(request)):
        raise Forbidden
    request.state.caller = caller
    return caller


AnyCaller = Annotated[Caller, Depends(_caller)]


_required: dict[Callable[..., Any], frozenset[str]] = {_caller: frozenset(ROLES)}


def _require(*rights: Right) -> Any:
    """Return a dependency that accepts callers with at least one of these rights."""
    allowed = roles_with(rights)

    @refuses(Unauthenticated, Forbidden)
    async def check(request: Request) -> Caller:
        caller = await _caller(request)  # no separate dependency: each costs about 20 µs
        if not caller.roles & allowed or not _is_declared(request, caller):
            raise Forbidden
        return caller

    _required[check] = allowed
    return Depends(check)


def _is_declared(request: Request, caller: Caller) -> bool:
    """Return True unless a service calls a route that it does not declare to use."""
    if "service" not in caller.roles:
        return True
    declared: frozenset[str] = request.app.state.callers.get(caller.id, frozenset())
    return _route(request) in declared


def _route(request: Request) -> str:
    return f"{request.method} {route_of(request.scope)}"


def roles_required(dependency: Callable[..., Any]) -> frozenset[str]:
    """Return the roles of which a caller needs one; empty if the dependency asks for no role.

    The OpenAPI document takes the roles of each route from here.
    """
    return _required.get(dependency, frozenset())


Patron = Annotated[Caller, _require("own-account")]
"""A patron, for their own resources: a resource of another patron is answered with 404."""
Person = Annotated[Caller, _require("own-pin")]
"""A patron or somebody of the staff, but no station and no service."""
Staff = Annotated[Caller, _require("desk")]
Desk = Annotated[Caller, _require("lend")]
"""Staff or a station: callers that lend copies and take them back."""
Verifying = Annotated[Caller, _require("verify")]
"""A station, or a program of others that only asks whether a patron may use it."""
Tracer = Annotated[Caller, _require("trace")]
"""A caller who may see who visited a branch, for contact tracing; nobody else may."""
Administrator = Annotated[Caller, _require("manage-staff")]
"""An administrator or operator, for the accounts that their rights cover."""
Ops = Annotated[Caller, _require("operate")]
StaffOrOps = Annotated[Caller, _require("desk", "operate")]
StaffOrService = Annotated[Caller, _require("desk", "call-services")]
DeskOrService = Annotated[Caller, _require("lend", "call-services")]
PatronOrStaff = Annotated[Caller, _require("own-account", "desk")]
"""A patron for their own resources; staff for anyone's."""
PatronStaffOrService = Annotated[Caller, _require("own-account", "desk", "call-services")]
OtherService = Annotated[Caller, _require("call-services")]
"""A service that declares to use the route, as for each alias with "Service" in its name."""


def may_see(caller: Caller, patron_id: str) -> bool:
    """Return whether `caller` may know that a resource of `patron_id` exists."""
    return caller.id == patron_id or bool(caller.rights & {"desk", "call-services"})
