"""Calls of the gateway's routes for a station, and for a patron who has typed a PIN there.

So a station has the same access, limits, deadlines and own writes as every other client.
"""

import asyncio
import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakValueDictionary

import orjson
from fastapi import FastAPI

from services.gateway.settings import Settings
from services.gateway.web.api import Reply, answered, scope_of
from shared.auth import Unauthenticated
from shared.owners import OwnerAway

RENEW_BEFORE = 60.0
"""Seconds before its end in which an access token is renewed."""
PATRON_SECONDS = 300.0
"""Seconds after the last message about a patron until the station forgets the patron's session."""


_ROLES = frozenset({"station", "verifier"})
_UNJUDGED = ("strangers-wait", "too-many-requests")
"""Codes of refusals before the secret was looked at."""
_DIGEST_KEY = secrets.token_bytes(32)


class LoggedOut(Exception):
    """The session of the station has ended: it has to log in again."""


@dataclass
class StationAccount:
    """The session of a station, which all its connections to this process share."""

    roles: frozenset[str]
    access: str = field(repr=False)
    renewal: str = field(repr=False)
    until: float
    """Time by the monotonic clock at which the access token ends."""
    renewing: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass
class StationAccounts:
    """The stations with a session in this process, by a digest of name and secret."""

    by_digest: dict[bytes, StationAccount] = field(default_factory=dict)
    locks: WeakValueDictionary[bytes, asyncio.Lock] = field(default_factory=WeakValueDictionary)


@dataclass
class PatronSession:
    """A patron whose PIN was right, until the station ends it or turns to another card."""

    card: str = field(repr=False)
    pin: str = field(repr=False)
    token: str = field(repr=False)
    patron_id: str
    until: float


class Api:
    """The calls of one connection; `address` is that of the station."""

    def __init__(self, app: FastAPI, accounts: StationAccounts, address: tuple[str, int]) -> None:
        self._app = app
        self._accounts = accounts
        self._client = {"scheme": "http", "client": address, "server": None}
        self.settings: Settings = app.state.settings
        self.account: StationAccount | None = None
        self.patron: PatronSession | None = None
        self.time = ""
        """In a simulation the business time of the message, as it says."""

    async def call(
        self, method: str, path: str, body: Any = None, *, token: str = "", key: str = ""
    ) -> Reply:
        """Return the answer to a call with a token; a repeated `key` gives the first one again."""
        sent = b"" if body is None else orjson.dumps(body)
        headers = {
            "host": "sip2",
            "authorization": f"Bearer {token}" if token else "",
            "idempotency-key": key,
            "carrel-time": self.time,
            "content-type": "application/json" if sent else "",
            "content-length": str(len(sent)) if sent else "",
        }
        path, _, query = path.partition("?")
        return await answered(self._app, scope_of(self._client, method, path, query, headers), sent)

    async def send(self, method: str, path: str, body: Any = None, key: str = "") -> Reply:
        """Return the answer to a call as the station. Raises LoggedOut."""
        reply = await self.call(method, path, body, token=await self._token(), key=key)
        if reply.status == 401 and reply.failure().code == "unauthenticated":
            raise LoggedOut  # somebody has ended it, or disabled the account
        return reply

    async def as_patron(self, method: str, path: str, body: Any = None, key: str = "") -> Reply:
        """Return the answer to a call as the patron, who is there."""
        token = self.patron.token if self.patron else ""
        return await self.call(method, path, body, token=token, key=key)

    async def _token(self) -> str:
        account = self.account
        if account is None:
            raise LoggedOut
        async with account.renewing:
            now = time.monotonic()
            if now > account.until - RENEW_BEFORE:
                body = {"renewal_token": account.renewal}
                reply = await self.call("POST", "/v1/sessions/renewal", body)
                if reply.done:
                    session = reply.json()
                    account.access, account.renewal = _tokens(session)
                    account.until = now + session["expires_in"]
                elif reply.status < 500 or now > account.until:
                    raise LoggedOut
        return account.access

    async def log_in(self, name: str, secret: str) -> bool:
        """Log the station in; return whether it is a station and the secret is right.

        A station with a session in this process costs no check of its secret, and of connections at
        one moment the first alone. Raises Failure if the system can't tell.
        """
        await self.forget_patron()
        digest = hmac.digest(_DIGEST_KEY, f"{name}\n{secret}".encode(), hashlib.sha256)
        async with self._accounts.locks.setdefault(digest, asyncio.Lock()):
            self.account = self._accounts.by_digest.get(digest)
            if self.account:
                with suppress(LoggedOut, Unauthenticated, OwnerAway):
                    await self._app.state.verifier.caller(await self._token())
                    return True
            self.account = None
            return await self._new_session(name, secret, digest)

    async def _new_session(self, name: str, secret: str, digest: bytes) -> bool:
        reply = await self.call("POST", "/v1/sessions", {"card_number": name, "pin": secret})
        if not reply.done:
            return _is_wrong(reply)
        session = reply.json()
        roles = frozenset(session["roles"])
        if not roles & _ROLES:
            await self.call("DELETE", "/v1/sessions/current", token=session["access_token"])
            return False
        until = time.monotonic() + session["expires_in"]
        self.account = StationAccount(roles, *_tokens(session), until)
        self._accounts.by_digest[digest] = self.account
        return True

    async def known_patron(self, card: str, pin: str) -> PatronSession | None:
        """Return the patron with this card and PIN; without one whose PIN the station sent before.

        None: the PIN is wrong, or there was none. Raises Failure if that can't be told now.
        """
        patron, now = self.patron, time.monotonic()
        if patron and (patron.card != card or now > patron.until):
            await self.forget_patron()
            patron = None
        if patron and pin in ("", patron.pin):
            return patron
        if not (card and pin):
            return None
        reply = await self.send("POST", "/v1/sessions", {"card_number": card, "pin": pin})
        if not reply.done:
            _is_wrong(reply)
            return None
        await self.forget_patron()
        session = reply.json()
        until = now + min(session["expires_in"] - RENEW_BEFORE, PATRON_SECONDS)
        access, patron_id = session["access_token"], session["patron_id"] or ""
        self.patron = PatronSession(card, pin, access, patron_id, until)
        if not patron_id:  # somebody of the staff
            await self.forget_patron()
        return self.patron

    async def forget_patron(self) -> None:
        """End the session of the patron."""
        if self.patron:
            patron, self.patron = self.patron, None
            await self.call("DELETE", "/v1/sessions/current", token=patron.token)


def _tokens(session: Mapping[str, Any]) -> tuple[str, str]:
    return session["access_token"], session["renewal_token"] or ""


def _is_wrong(reply: Reply) -> bool:
    """Return False for a wrong secret. Raises Failure if the system could not tell."""
    failure = reply.failure()
    if failure.status < 500 and failure.code not in _UNJUDGED:
        return False
    raise failure
