"""Seal, sign with, publish, rotate and revoke the keys that sign tokens."""

import asyncio
import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import orjson
import structlog
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from joserfc import jwt
from joserfc.jwk import OKPKey, RSAKey

from services.accounts.cardholders import store as cardholders_store
from services.accounts.cardholders.rules import SecondFactor
from services.accounts.keys import store
from services.accounts.keys.rules import SigningKey, retire
from services.accounts.keys.store import ACCESS, OPENID
from shared.keys import each_of
from shared.mongo import Database
from shared.owners import OwnerAway
from shared.rights import roles_of_account
from shared.token_form import ALGORITHM, AUDIENCE, ISSUER, TOKEN_TYPE
from shared.unit_of_work import Work

OPENID_ALGORITHM = "RS256"
"""The algorithm that every client of OpenID Connect knows (Core, section 15.1)."""
RSA_BITS = 2048

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


def make_key(place: int, secrets: str, of: str = ACCESS) -> SigningKey:
    """Create a key for signing, at a position in the sequence of keys.

    Its private half is sealed with the first of `secrets`, if there is one.
    """
    key = (
        OKPKey.generate_key("Ed25519", auto_kid=True)
        if of == ACCESS
        else RSAKey.generate_key(RSA_BITS, {"use": "sig", "alg": OPENID_ALGORITHM}, auto_kid=True)
    )
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


async def current_key(db: Database, secrets: str, of: str = ACCESS) -> SigningKey:
    """Return the key that signs now; create it if there is none. All replicas get the same key.

    It is read for each token, so that a key replaced by another replica no longer signs.
    """
    key = await store.find_signing_key(db, of)
    while key is None:
        made = await asyncio.to_thread(make_key, 1, secrets, of)
        await store.offer_first_key(db, made, of)
        key = await store.find_signing_key(db, of)
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
    scopes: Sequence[str] = (),
) -> SignedToken:
    """Return a token for the account `sub`, valid from `issued_at` on (wall clock).

    Without a `session_id` nothing can end it before it expires: only services get such tokens.
    `scopes` limit it to their routes; none: it has all rights of the role.
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
    if scopes:
        claims["scope"] = " ".join(scopes)
    header = {"alg": ALGORITHM, "kid": key.kid, "typ": TOKEN_TYPE}
    private: dict[str, str | list[str]] = dict(private_half(key, secrets))
    token = jwt.encode(header, claims, OKPKey.import_key(private), [ALGORITHM])
    return SignedToken(token, expires_in, sub if role == "patron" else None, roles_of_account(role))


async def sign_for_clients(
    key: SigningKey, secrets: str, claims: Mapping[str, Any], typ: str
) -> str:
    """Return claims as a JWT of this type, for a client of OpenID Connect. Raises OwnerAway."""
    header = {"alg": OPENID_ALGORITHM, "kid": key.kid, "typ": typ}
    # The first use of a key in a process takes some 70 ms.
    private = await asyncio.to_thread(_rsa_key, orjson.dumps(private_half(key, secrets)))
    return jwt.encode(header, dict(claims), private, [OPENID_ALGORITHM])


@lru_cache(maxsize=2)
def _rsa_key(private: bytes) -> RSAKey:
    return RSAKey.import_key(orjson.loads(private))


async def public_keys(
    db: Database, now: datetime, secrets: str, of: str = ACCESS
) -> dict[str, list[dict[str, str]]]:
    """Return the JWK set of keys that verify tokens.

    It has the signing key, created if there is none yet, and the former keys whose tokens may still
    be valid at `now` by the wall clock. `secrets` seal a key that is created.
    """
    await current_key(db, secrets, of)
    return {"keys": [key.public for key in await store.published_keys(db, now, of)]}


def rotate_keys(work: Work, at: datetime, longest_token: timedelta, secrets: str) -> str:
    """Replace the keys that sign, at `at` by the wall clock; return the id of the access tokens'.

    `secrets` seal the new keys, the newest first, separated by commas; or it is empty. The former
    keys lose their private halves at once, and stay published until the last tokens that they
    signed have expired, within `longest_token`. Then the newest of the secrets is the only one that
    is needed.
    """

    def replace_key(current: SigningKey | None, new: SigningKey, of: str) -> None:
        retired = retire(current, at, longest_token) if current else None
        store.replace_key(work, retired, new, of)

    kid = _replaced(work, secrets, replace_key)
    for holder in cardholders_store.holders_of_factors(work):
        if holder.second_factor is not None:
            factor = resealed(holder.second_factor, secrets)
            cardholders_store.save_cardholders(work, replace(holder, second_factor=factor))
    return kid


def _replaced(
    work: Work, secrets: str, replace_key: Callable[[SigningKey | None, SigningKey, str], None]
) -> str:
    """Replace the keys of access tokens, and of clients if there are any; return the first id."""
    kids = []
    for of in (ACCESS, OPENID):
        current = store.signing_key(work, of)
        if current is not None or of == ACCESS:
            new = make_key(int(current.id) + 1 if current else 1, secrets, of)
            replace_key(current, new, of)
            kids.append(new.kid)
    return kids[0]


@dataclass(frozen=True)
class RevokeKeys:
    """The secrets that seal the new keys, the newest first, separated by commas; or empty."""

    secrets: str = field(repr=False)


def revoke_keys(work: Work, command: RevokeKeys) -> str:
    """Delete all keys, make new ones, and return the id (`kid`) of the access tokens'.

    No token that was signed until now is valid any more. Sessions last on, because their renewal
    tokens are derived from another key.
    """
    return _replaced(
        work, command.secrets, lambda _, new, of: store.replace_all_keys(work, new, of)
    )
