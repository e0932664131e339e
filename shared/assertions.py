"""Assertions: how a service logs in at the issuer of tokens, with a key of its own (RFC 7523).

An assertion is a JWT that names its service, lasts for a minute and is used once. The service signs
it with the Ed25519 key that only it has; the issuer knows the public half of each service's key.
Keys are 32 bytes, written as 64 hexadecimal digits.
"""

import base64
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from shared.clock import SKEW_SECONDS
from shared.ids import new_id

ALGORITHM = "Ed25519"
TYPE = "client-authentication+jwt"
"""The header `typ`, which no access token has."""
LIFETIME = timedelta(seconds=60)
LONGEST = 2000
"""Greatest number of characters of an assertion."""
_MOST_ID = 64


class Unproven(Exception):
    """The assertion is not one of a service that is known, or not valid at this time."""


@dataclass(frozen=True)
class Proof:
    """A verified assertion."""

    service: str
    id: str
    """Names the assertion, so that it is accepted once."""
    expires_at: datetime


def make_key() -> str:
    """Return a new private key."""
    return secrets.token_hex(32)


def public_half(key: str) -> str:
    """Return the public key that belongs to a private one."""
    return (
        Ed25519PrivateKey.from_private_bytes(bytes.fromhex(key))
        .public_key()
        .public_bytes_raw()
        .hex()
    )


def public_halves(keys: Mapping[str, str]) -> str:
    """Return the public keys that belong to the private key of each service, as a setting."""
    return ",".join(f"{service}={public_half(key)}" for service, key in keys.items())


def assertion(service: str, key: str, audience: str, at: datetime) -> str:
    """Return a new assertion of a service, at `at` by the wall clock."""
    issued = int(at.timestamp())
    claims = {
        "iss": service,
        "sub": service,
        "aud": audience,
        "jti": new_id(),
        "iat": issued,
        "exp": issued + int(LIFETIME.total_seconds()),
    }
    private = _jwk(public_half(key)) | {"d": _base64(key)}
    return jwt.encode(
        {"alg": ALGORITHM, "typ": TYPE}, claims, OKPKey.import_key(private), [ALGORITHM]
    )


def verified(text: str, keys: Mapping[str, Sequence[str]], audience: str, at: datetime) -> Proof:
    """Return the proof of an assertion, at `at` by the wall clock. Raises Unproven.

    `keys` are the public keys of each service; it may have several while one replaces another.
    """
    for service, known in keys.items():
        for key in known:
            try:
                decoded = jwt.decode(text, OKPKey.import_key(_jwk(key)), [ALGORITHM])
            except (JoseError, ValueError, TypeError):
                continue
            if decoded.header.get("typ") != TYPE or "crit" in decoded.header:
                raise Unproven
            return _proof(service, decoded.claims, audience, at)
    raise Unproven


def _proof(service: str, claims: Mapping[str, object], audience: str, at: datetime) -> Proof:
    """Check the claims that the key of a service has signed."""
    id_, issued, expires = claims.get("jti"), claims.get("iat"), claims.get("exp")
    now, skew = at.timestamp(), SKEW_SECONDS
    if not (
        claims.get("iss") == claims.get("sub") == service
        and claims.get("aud") == audience
        and isinstance(id_, str)
        and 0 < len(id_) <= _MOST_ID
        and isinstance(issued, int)
        and isinstance(expires, int)
        and issued <= now + skew
        and now < expires <= now + LIFETIME.total_seconds() + skew
    ):
        raise Unproven
    return Proof(service, id_, datetime.fromtimestamp(expires, UTC))


def _jwk(public: str) -> dict[str, str | list[str]]:
    return {"kty": "OKP", "crv": ALGORITHM, "x": _base64(public)}


def _base64(key: str) -> str:
    return base64.urlsafe_b64encode(bytes.fromhex(key)).rstrip(b"=").decode()
