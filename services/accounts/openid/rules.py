"""Clients of OpenID Connect, their requests, and the grants that patrons give them.

A grant begins with a code, which is exchanged for tokens once. Codes and tokens are derived from
the id of their grant and a number, so the database has no secret. Core: OpenID Connect Core 1.0.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

from services.accounts.cardholders.rules import ADULT, JUNIOR, Cardholder, Patron
from shared import keys as keyed

CODE, ACCESS, REFRESH = "openid code", "openid access", "openid refresh"
"""Purposes of secrets. Codes and access tokens have the instant of their expiry as their number,
in seconds since 1970, refresh tokens their place in the sequence."""
CODE_LASTS = timedelta(minutes=1)
ACCESS_LASTS = timedelta(minutes=10)
OFFLINE_LASTS = timedelta(days=90)
"""Time since its last use for which a refresh token can be used."""
KEPT_FOR = timedelta(days=1)
"""Time for which a log-out is tried to be delivered."""
PAUSES = tuple(timedelta(seconds=one) for one in (10, 60, 600, 3600, 4 * 3600, 12 * 3600))
"""Pauses after each try to deliver a log-out; after the last one it is given up."""
OPENID, OFFLINE = "openid", "offline_access"
CLAIMS_OF_SCOPES: Mapping[str, tuple[str, ...]] = {
    OPENID: ("sub",),
    "profile": ("name", "locale"),
    "email": ("email", "email_verified"),
    "library": ("library",),
    "may_borrow": ("may_borrow",),
    "age_band": ("age_band",),
    OFFLINE: (),
}
"""The claims that a client learns by each scope."""
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Fault(Exception):
    """An error of the protocol for a client (RFC 6749, sections 4.1.2.1 and 5.2)."""

    def __init__(self, error: str, description: str = "", status: int = 400) -> None:
        super().__init__(error)
        self.error, self.description, self.status = error, description, status

    @property
    def answer(self) -> dict[str, str]:
        """The error as the parameters of an answer."""
        more = {"error_description": self.description} if self.description else {}
        return {"error": self.error, **more}


@dataclass(frozen=True, slots=True)
class Client:
    """A service of others that the library has registered."""

    id: str
    name: str
    redirect_uris: tuple[str, ...]
    """Addresses to which answers may go; they are compared exactly."""
    scopes: tuple[str, ...]
    """Scopes that it may ask for."""
    sector: str
    """Host of the service: clients of one sector know a patron by the same `sub`."""
    salt: str = field(repr=False)
    """Secret of the sector, from which each `sub` is derived."""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """Digests of its secrets, the newest first: two while one replaces the other."""
    keys: tuple[dict[str, Any], ...] = ()
    """Public keys (JWK) with which it signs assertions instead of sending a secret."""
    log_out_redirect_uris: tuple[str, ...] = ()
    """Addresses to which patrons may go on after they have logged out."""
    log_out_uri: str = ""
    """Address that is told of the end of a session; empty: none."""
    version: int = 1


@dataclass(frozen=True, slots=True)
class Consent:
    """The facts that a patron lets a client learn, by scope."""

    id: str
    """Ids of the client and of the patron."""
    client_id: str
    patron_id: str
    scopes: tuple[str, ...]
    given_at: datetime
    version: int = 1


@dataclass(frozen=True, slots=True)
class Grant:
    """One log-in of a patron at a client. Times are by the wall clock."""

    id: str
    """Also the claim `sid`: clients can't compare it, as they could the id of the session."""
    client_id: str
    patron_id: str
    session_id: str
    scopes: tuple[str, ...]
    redirect_uri: str
    challenge: str
    """The digest of the client's verifier (PKCE, S256)."""
    nonce: str = field(repr=False)
    logged_in_at: datetime
    expires_at: datetime
    """Instant when the database may delete it."""
    pin_version: int = 0
    """Version of the patron's PIN at that log-in: another PIN ends the grant."""
    place: int = 0
    """Place of the newest refresh token; 0: the code was not used yet."""
    ended: bool = False
    """True once nothing of it is valid any more; it is kept until the client is told."""
    log_out_at: datetime | None = None
    """When to try next to tell the client that the session has ended; None: nothing to tell."""
    tries: int = 0
    version: int = 1

    @property
    def is_offline(self) -> bool:
        """True if the grant outlasts the session in which it was given."""
        return OFFLINE in self.scopes


class Reused(Exception):
    """Somebody else may have a code or a refresh token: it was used twice, or before a new PIN."""


def acceptable_uri(uri: str) -> bool:
    """Return whether an address may be registered: https, or http to the client's own machine."""
    try:
        parts = urlsplit(uri)
        _ = parts.port
    except ValueError:
        return False
    plain = uri.isascii() and uri.isprintable() and not set(uri) & set(' "\\<>')
    whole = parts.hostname and "@" not in parts.netloc and "#" not in uri and len(uri) <= 500
    secure = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    return bool(plain and whole and secure)


def secret_digest(secret: str) -> str:
    """Return what is stored of a client's secret, which has 256 random bits."""
    return hashlib.sha256(secret.encode()).hexdigest()


def has_secret(client: Client, secret: str) -> bool:
    """Return whether this is a secret of the client."""
    given = secret_digest(secret)
    return any(hmac.compare_digest(one, given) for one in client.secrets)


def subject_of(client: Client, patron_id: str) -> str:
    """Return the id by which the clients of a sector know a patron (Core, section 8.1)."""
    digest = hmac.digest(client.salt.encode(), patron_id.encode(), "sha256")
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def scopes_asked(asked: Mapping[str, str], client: Client) -> tuple[str, ...]:
    """Return the scopes of a request that the client may have; others are left out."""
    wanted = asked.get("scope", "").split()
    if asked.get("access_type") == "offline":
        wanted.append(OFFLINE)
    return tuple(one for one in CLAIMS_OF_SCOPES if one in wanted and one in client.scopes)


def fault_of(asked: Mapping[str, str]) -> Fault | None:
    """Return why a request of a registered client is refused, if it is."""
    given = asked.get
    prompts = given("prompt", "").split()
    for name in ("request", "request_uri", "registration"):
        if given(name):
            return Fault(f"{name}_not_supported")
    if given("response_type") != "code":
        return Fault("unsupported_response_type" if given("response_type") else "invalid_request")
    if given("response_mode", "query") != "query":
        return Fault("invalid_request", "response_mode is query")
    if OPENID not in given("scope", "").split():
        return Fault("invalid_scope", "scope has openid")
    if given("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(
        given("code_challenge", "")
    ):
        return Fault("invalid_request", "PKCE with code_challenge_method S256 is needed")
    if "none" in prompts and len(prompts) > 1:
        return Fault("invalid_request", "prompt is none, or others")
    if given("max_age") and not re.fullmatch(r"\d{1,9}", given("max_age", "")):
        return Fault("invalid_request", "max_age is a number of seconds")
    return None


def needs_log_in(asked: Mapping[str, str], logged_in_at: datetime, at: datetime) -> bool:
    """Return whether a patron has to log in again, although a session is open.

    `since` is the time of the request with `prompt=login`, in seconds since 1970.
    """
    if "login" in asked.get("prompt", "").split():
        since = asked.get("since", "")
        if not since.isdecimal() or logged_in_at.timestamp() < int(since[:12]):
            return True
    longest = asked.get("max_age", "")
    return bool(longest) and at > logged_in_at + timedelta(seconds=int(longest))


def answer_at(uri: str, issuer: str, asked: Mapping[str, str], answer: Mapping[str, str]) -> str:
    """Return the address of an answer. It names the issuer, against mix-up (RFC 9207)."""
    return with_query(uri, {**answer, "state": asked.get("state", ""), "iss": issuer})


def with_query(uri: str, parameters: Mapping[str, str]) -> str:
    """Return an address with further parameters, but for empty ones."""
    query = urlencode({name: value for name, value in parameters.items() if value})
    return f"{uri}{'&' if '?' in uri else '?'}{query}" if query else uri


def token(purpose: str, grant: Grant, number: int, keys: str) -> str:
    """Return a code or a token of a grant."""
    return keyed.numbered(keys, purpose, grant.id, number)


def expiry(at: datetime, lasts: timedelta) -> int:
    """Return the number of a code or an access token: its expiry in seconds since 1970."""
    return int((at + lasts).timestamp())


def exchanged(grant: Grant, redirect_uri: str, verifier: str, expires_at: datetime) -> Grant:
    """Return the grant whose code was exchanged. Raises Reused, or Fault for another request."""
    if grant.place or grant.ended:
        raise Reused
    digest = hashlib.sha256(verifier.encode("utf-8", "replace")).digest()
    challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    is_ours = hmac.compare_digest(challenge, grant.challenge)
    if redirect_uri != grant.redirect_uri or not _VERIFIER.fullmatch(verifier) or not is_ours:
        raise Fault("invalid_grant", "The code was given for another request.")
    return replace(grant, place=1, expires_at=expires_at, version=grant.version + 1)


def refreshed(grant: Grant, place: int, at: datetime) -> Grant:
    """Return the grant after the use of its newest refresh token. Raises Reused for another."""
    if place != grant.place:
        raise Reused
    return replace(grant, place=place + 1, expires_at=at + OFFLINE_LASTS, version=grant.version + 1)


def ended(grant: Grant, at: datetime) -> Grant:
    """Return the grant that is over, and kept until its client is told."""
    version = grant.version + 1
    return replace(
        grant, ended=True, log_out_at=at, tries=0, expires_at=at + KEPT_FOR, version=version
    )


def claims_of(
    client: Client, scopes: tuple[str, ...], patron: Patron, holder: Cardholder, today: date
) -> dict[str, Any]:
    """Return what a client learns of a patron by these scopes; unknown facts are left out."""
    new, last = holder.new_address, patron.card_expires_on
    confirmed = new is not None and new.confirmed and new.email == holder.email
    facts: dict[str, Any] = {
        "sub": subject_of(client, patron.id),
        "name": holder.name,
        "locale": patron.language,
        "email": holder.email,
        "email_verified": confirmed if holder.email else None,
        "library": patron.home_branch,
        "may_borrow": patron.status == "active" and (last is None or last >= today),
        "age_band": patron.category if patron.category in (ADULT, JUNIOR) else None,
    }
    wanted = [name for scope in scopes for name in CLAIMS_OF_SCOPES[scope]]
    return {name: facts[name] for name in wanted if facts[name] is not None}
