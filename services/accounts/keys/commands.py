"""Seal, sign with, publish, rotate and revoke the keys that sign tokens."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import orjson
import structlog
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from joserfc import jwt
from joserfc.jwk import OKPKey

from services.accounts.cardholders import store as cardholders_store
from services.accounts.cardholders.rules import SecondFactor
from services.accounts.keys import store
from services.accounts.keys.rules import SigningKey, retire
from shared.auth import ALGORITHM, AUDIENCE, ISSUER, TOKEN_TYPE
from shared.keys import each_of
from shared.mongo import Database
from shared.owners import OwnerAway
from shared.rights import roles_of_account
from shared.unit_of_work import Work

log = structlog.get_logger()


def sealed_half(private: Mapping[str, str], secrets: str) -> str | None:
    """Return a private half sealed with the first secret; None if no secret is set."""
    return _sealed(orjson.dumps(private), secrets)


def with_secret(factor: SecondFactor, secret: str, secrets: str) -> SecondFactor:
    """Return a second factor with the secret that the app has, sealed if `secrets` are set."""
    seal = _sealed(secret.encode(), secrets)
    return replace(factor, secret=secret if seal is None else None, sealed=seal)


def secret_of(factor: SecondFactor, secrets: str) -> str | None:
    """Return the secret that the app has; None if none of `secrets` has sealed it."""
    if factor.sealed is None:
        return factor.secret
    content = _opened(factor.sealed, secrets)
    return None if content is None else content.decode()


def resealed(factor: SecondFactor, secrets: str) -> SecondFactor:
    """Return the factor with its secret sealed by the first of `secrets`, if it can be read."""
    secret = secret_of(factor, secrets)
    return factor if secret is None else with_secret(factor, secret, secrets)


def can_sign(key: SigningKey, secrets: str) -> bool:
    """Return whether the private half of the key can be read with one of the secrets."""
    return _private_half(key, secrets) is not None


def private_half(key: SigningKey, secrets: str) -> dict[str, str]:
    """Return the private half of the signing key as a JWK.

    Raises OwnerAway if none of the secrets has sealed it: nobody can log in until that is mended.
    """
    private = _private_half(key, secrets)
    if private is None:
        log.error("the signing key can't be read: CARREL_SIGNING_SECRETS lacks its secret")
        raise OwnerAway("accounts")
    return private


def _private_half(key: SigningKey, secrets: str) -> dict[str, str] | None:
    if key.sealed is None:
        return key.private
    content = _opened(key.sealed, secrets)
    if content is None:
        return None
    private: dict[str, str] = orjson.loads(content)
    return private


def _sealed(content: bytes, secrets: str) -> str | None:
    """Return content sealed with the first of these secrets; None if no secret is set."""
    box = _box(secrets)
    return box.encrypt(content).decode() if box else None


def _opened(seal: str, secrets: str) -> bytes | None:
    """Return sealed content; None if none of these secrets has sealed it."""
    box = _box(secrets)
    try:
        return box.decrypt(seal) if box else None
    except InvalidToken:
        return None


def _box(secrets: str) -> MultiFernet | None:
    given = [_fernet(one) for one in each_of(secrets)]
    return MultiFernet(given) if given else None


def _fernet(secret: str) -> Fernet:
    digest = hashlib.sha256(f"carrel signing\n{secret}".encode()).digest()
    return Fernet(base64.urlsafe_b64encode(digest))


@dataclass(frozen=True)
class SignedToken:
    """The token of a caller who has logged in."""

    access_token: str = field(repr=False)
    expires_in: int
    """Lifetime of the token, in seconds."""
    patron_id: str | None
    """Id of the patron; None for staff and machines."""
    roles: tuple[str, ...]
    renewal_token: str | None = field(default=None, repr=False)
    """Secret that can be exchanged for new tokens, once; None: this token can't be renewed."""
    renewal_expires_in: int | None = None
    """Seconds until the session can't be renewed any more."""
    device_token: str | None = field(default=None, repr=False)
    """Token of the device after a log-in with a card; None: there is none."""


def make_key(place: int, secrets: str) -> SigningKey:
    """Create an Ed25519 key for signing, at a position in the sequence of keys.

    Its private half is sealed with the first of `secrets`, if there is one.
    """
    key = OKPKey.generate_key("Ed25519", auto_kid=True)
    public, whole = key.as_dict(private=False), key.as_dict(private=True)
    private = {name: str(value) for name, value in whole.items()}
    sealed = sealed_half(private, secrets)
    return SigningKey(
        id=str(place),
        kid=str(key.kid),
        public={name: str(value) for name, value in public.items()},
        private=private if sealed is None else None,
        sealed=sealed,
    )


async def current_key(db: Database, secrets: str) -> SigningKey:
    """Return the key that signs now; create it if there is none. All replicas get the same key.

    It is read for each token, so that a key replaced by another replica no longer signs.
    """
    key = await store.find_signing_key(db)
    while key is None:
        await store.offer_first_key(db, make_key(1, secrets))
        key = await store.find_signing_key(db)
    return key


def sign(
    key: SigningKey,
    secrets: str,
    *,
    sub: str,
    role: str,
    name: str,
    issued_at: datetime,
    lifetime: timedelta,
    session_id: str | None = None,
) -> SignedToken:
    """Return a token for the account `sub`, valid from `issued_at` on (wall clock).

    Without a `session_id` nothing can end it before it expires: only services get such tokens.
    Raises OwnerAway if the key is sealed and none of `secrets` opens it.
    """
    expires_in = int(lifetime.total_seconds())
    issued = int(issued_at.timestamp())
    claims: dict[str, Any] = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": sub,
        "roles": list(roles_of_account(role)),
        "name": name,
        "iat": issued,
        "exp": issued + expires_in,
    }
    if session_id is not None:
        claims["sid"] = session_id
    header = {"alg": ALGORITHM, "kid": key.kid, "typ": TOKEN_TYPE}
    private: dict[str, str | list[str]] = dict(private_half(key, secrets))
    token = jwt.encode(header, claims, OKPKey.import_key(private), [ALGORITHM])
    return SignedToken(token, expires_in, sub if role == "patron" else None, roles_of_account(role))


async def public_keys(db: Database, now: datetime, secrets: str) -> dict[str, list[dict[str, str]]]:
    """Return the JWK set of keys that verify tokens.

    It has the signing key, created if there is none yet, and the former keys whose tokens may still
    be valid at `now` by the wall clock. `secrets` seal a key that is created.
    """
    await current_key(db, secrets)
    return {"keys": [key.public for key in await store.published_keys(db, now)]}


def rotate_keys(work: Work, at: datetime, longest_token: timedelta, secrets: str) -> str:
    """Replace the signing key, at `at` by the wall clock; return the id (`kid`) of the new one.

    `secrets` seal the new key, the newest first, separated by commas; or it is empty. The former
    key loses its private half at once, and stays published until the last token that it signed has
    expired, within `longest_token`. Then the newest of the secrets is the only one that is needed.
    """
    current = store.signing_key(work)
    new = make_key(int(current.id) + 1 if current else 1, secrets)
    retired = retire(current, at, longest_token) if current else None
    store.replace_key(work, retired, new)
    for holder in cardholders_store.holders_of_factors(work):
        if holder.second_factor is not None:
            factor = resealed(holder.second_factor, secrets)
            cardholders_store.save_cardholders(work, replace(holder, second_factor=factor))
    return new.kid


@dataclass(frozen=True)
class RevokeKeys:
    """The secrets that seal the new key, the newest first, separated by commas; or empty."""

    secrets: str = field(repr=False)


def revoke_keys(work: Work, command: RevokeKeys) -> str:
    """Delete all keys, make a new one, and return its id (`kid`).

    No access token that was signed until now is valid any more. Sessions last on, because their
    renewal tokens are derived from another key.
    """
    current = store.signing_key(work)
    new = make_key(int(current.id) + 1 if current else 1, command.secrets)
    store.replace_all_keys(work, new)
    return new.kid
