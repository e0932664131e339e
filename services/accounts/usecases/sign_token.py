"""Sign the tokens that authenticate callers."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from joserfc import jwt
from joserfc.jwk import OKPKey

from services.accounts import store
from services.accounts.domain.signing_key import SigningKey
from services.accounts.usecases.seal_key import private_half, sealed_half
from shared.auth import ALGORITHM, AUDIENCE, ISSUER, TOKEN_TYPE
from shared.mongo import Database


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
        "roles": [role],
        "name": name,
        "iat": issued,
        "exp": issued + expires_in,
    }
    if session_id is not None:
        claims["sid"] = session_id
    header = {"alg": ALGORITHM, "kid": key.kid, "typ": TOKEN_TYPE}
    private: dict[str, str | list[str]] = dict(private_half(key, secrets))
    token = jwt.encode(header, claims, OKPKey.import_key(private), [ALGORITHM])
    return SignedToken(token, expires_in, sub if role == "patron" else None, (role,))
