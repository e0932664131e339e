"""Sign the tokens that authenticate callers."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from joserfc import jwt
from joserfc.jwk import OKPKey

from services.accounts import store
from services.accounts.domain.signing_key import SigningKey
from shared.auth import ALGORITHM, AUDIENCE, ISSUER
from shared.mongo import Database


@dataclass(frozen=True)
class Session:
    """The session of a caller who has logged in."""

    access_token: str = field(repr=False)
    expires_in: int
    """Lifetime of the token, in seconds."""
    patron_id: str | None
    """Id of the patron; None for staff and machines."""
    roles: tuple[str, ...]


def make_key(place: int) -> SigningKey:
    """Create an Ed25519 key for signing, at a position in the sequence of keys."""
    key = OKPKey.generate_key("Ed25519", auto_kid=True)
    public, private = key.as_dict(private=False), key.as_dict(private=True)
    return SigningKey(
        id=str(place),
        kid=str(key.kid),
        public={name: str(value) for name, value in public.items()},
        private={name: str(value) for name, value in private.items()},
    )


async def current_key(db: Database) -> SigningKey:
    """Return the key that signs now; create it if there is none. All replicas get the same key.

    It is read for each token, so that a key replaced by another replica no longer signs.
    """
    key = await store.find_signing_key(db)
    while key is None:
        await store.offer_first_key(db, make_key(1))
        key = await store.find_signing_key(db)
    return key


def sign(
    key: SigningKey, *, sub: str, role: str, name: str, issued_at: datetime, hours: int
) -> Session:
    """Return a session for the account `sub`, starting at `issued_at` (wall clock)."""
    expires_in = int(timedelta(hours=hours).total_seconds())
    issued = int(issued_at.timestamp())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": sub,
        "roles": [role],
        "name": name,
        "iat": issued,
        "exp": issued + expires_in,
    }
    header = {"alg": ALGORITHM, "kid": key.kid}
    private: dict[str, str | list[str]] = dict(key.private or {})
    token = jwt.encode(header, claims, OKPKey.import_key(private), [ALGORITHM])
    return Session(token, expires_in, sub if role == "patron" else None, (role,))
