"""Register clients, and recognise them (RFC 6749, section 2.3; RFC 7523)."""

import base64
import binascii
import secrets
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote_plus

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, import_key

from services.accounts.openid import store
from services.accounts.openid.refusals import NoSuchClient
from services.accounts.openid.rules import Client, Fault, has_secret, secret_digest
from services.accounts.sign_in.store import use_assertion
from shared.assertions import Proof
from shared.clock import SKEW_SECONDS
from shared.mongo import Database
from shared.refusals import or_refuse
from shared.token_form import unverified
from shared.unit_of_work import Work

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ALGORITHMS = ("RS256", "PS256", "ES256", "Ed25519", "EdDSA")
"""Algorithms of assertions."""
LONGEST_ASSERTION = timedelta(minutes=10)
_MOST_SECRETS = 2


class ClientExists(Exception):
    """There is a client with this id already."""


class _Unknown(Fault):
    def __init__(self) -> None:
        super().__init__("invalid_client", "", 401)


def new_secret() -> str:
    """Return a new secret of a client."""
    return secrets.token_urlsafe(32)


def register(work: Work, client: Client) -> Client:
    """Register a client; it has the salt of its sector, if there is another client of that.

    Raises ClientExists.
    """
    if store.client(work, client.id) is not None:
        raise ClientExists
    other = store.client_of_sector(work, client.sector)
    registered = replace(client, salt=other.salt) if other else client
    store.add_client(work, registered)
    work.concern(client.id)
    return registered


def add_secret(work: Work, client_id: str, secret: str) -> Client:
    """Give a client another secret; the former one is valid until the next. Raises NoSuchClient."""
    found = or_refuse(store.client(work, client_id), NoSuchClient)
    kept = (secret_digest(secret), *found.secrets)[:_MOST_SECRETS]
    changed = replace(found, secrets=kept, version=found.version + 1)
    store.save_client(work, changed)
    work.concern(client_id)
    return changed


def remove_client(work: Work, client_id: str) -> None:
    """Remove a client. Raises NoSuchClient."""
    store.remove_client(work, or_refuse(store.client(work, client_id), NoSuchClient))
    work.concern(client_id)


def public_keys_in(document: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    """Return the keys of a JWK set. Raises ValueError unless all are public ones for signatures."""
    try:
        keys = KeySet.import_key_set(document).keys  # type: ignore[arg-type]
    except (JoseError, KeyError, TypeError) as error:
        raise ValueError("no JWK set") from error
    if any(key.key_type == "oct" or key.is_private for key in keys):
        raise ValueError("has a secret or private key")
    return tuple(dict(key.as_dict(private=False)) for key in keys)


async def authenticated(
    db: Database,
    authorization: str,
    form: Mapping[str, str],
    audiences: tuple[str, ...],
    at: datetime,
) -> Client:
    """Return the client that sends a form, at `at` by the wall clock, by its only credentials.

    They are in the header Authorization or in the form. An assertion is for one of `audiences`, and
    is accepted once. Raises Fault.
    """
    kinds = [bool(authorization), "client_secret" in form, "client_assertion" in form]
    if kinds.count(True) > 1:
        raise Fault("invalid_request", "More than one kind of credentials.", 401)
    if form.get("client_assertion_type", ASSERTION) != ASSERTION:
        raise _Unknown
    assertion, secret = form.get("client_assertion", ""), form.get("client_secret", "")
    client_id = form.get("client_id", "") or str(unverified(assertion).get("sub", ""))
    if authorization:
        client_id, secret = _basic(authorization)
    client = await store.find_client(db, client_id)
    if client is None or form.get("client_id", client_id) != client_id:
        raise _Unknown
    if assertion:
        if not await use_assertion(db, _proof(client, assertion, audiences, at)):
            raise Fault("invalid_client", "The assertion was used before.", 401)
    elif not has_secret(client, secret):
        raise _Unknown
    return client


def _basic(authorization: str) -> tuple[str, str]:
    """Return the id and the secret in a header, each form-encoded before (RFC 6749, 2.3.1)."""
    scheme, _, encoded = authorization.partition(" ")
    try:
        pair = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, ValueError):
        raise _Unknown from None
    client_id, _, secret = (unquote_plus(part) for part in pair.partition(":"))
    return (client_id, secret) if scheme.lower() == "basic" else ("", "")


def _proof(client: Client, assertion: str, audiences: tuple[str, ...], at: datetime) -> Proof:
    """Return the proof of an assertion that a client has signed. Raises Fault."""
    now = at.timestamp()
    for key in client.keys:
        try:
            claims = jwt.decode(assertion, import_key(key), ALGORITHMS).claims
        except (JoseError, ValueError, TypeError):
            continue
        expires, id_, audience = claims.get("exp"), claims.get("jti"), claims.get("aud")
        named = audience if isinstance(audience, list) else [audience]
        if (
            claims.get("iss") == claims.get("sub") == client.id
            and any(one in audiences for one in named)
            and isinstance(id_, str)
            and 0 < len(id_) <= 200
            and isinstance(expires, int)
            and now - SKEW_SECONDS < expires <= now + LONGEST_ASSERTION.total_seconds()
            and isinstance(claims.get("nbf", 0), int)
            and claims.get("nbf", 0) <= now + SKEW_SECONDS
        ):
            expiry = datetime.fromtimestamp(expires, UTC)
            return Proof(f"openid {client.id}", id_, expiry)
    raise _Unknown
