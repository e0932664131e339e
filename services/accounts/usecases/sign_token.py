"""Sign the tokens with which callers show who they are."""

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
    """A caller who has logged in."""

    access_token: str = field(repr=False)
    expires_in: int
    """Seconds."""
    patron_id: str | None
    """None for staff and machines."""
    roles: tuple[str, ...]


def make_key(place: int) -> SigningKey:
    """A new Ed25519 key at its place in the sequence, ready to sign."""
    key = OKPKey.generate_key("Ed25519", auto_kid=True)
    public, private = key.as_dict(private=False), key.as_dict(private=True)
    return SigningKey(
        id=str(place),
        kid=str(key.kid),
        public={name: str(value) for name, value in public.items()},
        private={name: str(value) for name, value in private.items()},
    )


async def current_key(db: Database) -> SigningKey:
    """The key that signs now, made if there has been none. All replicas get the same one.

    It is read for each token: a key that another replica has put in its place signs no more.
    """
    key = await store.find_signing_key(db)
    while key is None:
        await store.offer_first_key(db, make_key(1))
        key = await store.find_signing_key(db)
    return key


def sign(
    key: SigningKey, *, sub: str, role: str, name: str, issued_at: datetime, hours: int
) -> Session:
    """A session for account `sub`, from `issued_at` (wall clock) on."""
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
