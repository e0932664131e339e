"""The form of access tokens: their claims and headers, read and checked without keys."""

import base64
import time
from collections.abc import Mapping
from typing import Any

import orjson
from joserfc import jwt

from shared.clock import SKEW_SECONDS

ISSUER = "carrel-accounts"
AUDIENCE = "carrel"
ALGORITHM = "Ed25519"
TOKEN_TYPE = "at+jwt"  # noqa: S105 - a type, not a secret
"""The header `typ` of an access token (RFC 9068): no other signed text passes for one."""
LONGEST_TOKEN_SECONDS = 7 * 24 * 3600
"""Longest lifetime of a token; settings can't make it longer."""
LONGEST_SESSION_ID = 64

CLAIMS = jwt.JWTClaimsRegistry(
    iss={"essential": True, "value": ISSUER},
    aud={"essential": True, "value": AUDIENCE},
    sub={"essential": True},
    exp={"essential": True},
)


def is_sound(header: Mapping[str, Any], claims: Mapping[str, Any]) -> bool:
    """Return whether a signed token is like those that the issuer signs; its key was proven before.

    Each token names its session, but for those of services, which have none. No extension of the
    format is known here, so none may be critical (RFC 7515, section 4.1.11).
    """
    issued, expires, session_id = claims.get("iat"), claims["exp"], claims.get("sid")
    return (
        header.get("typ") == TOKEN_TYPE
        and "crit" not in header
        and type(issued) is int
        and type(expires) is int
        and issued <= time.time() + SKEW_SECONDS
        and expires - issued <= LONGEST_TOKEN_SECONDS
        and isinstance(claims["sub"], str)
        and isinstance(claims["roles"], list)
        and isinstance(claims.get("scope", ""), str)
        and (
            session_id is None
            if "service" in claims["roles"]
            else isinstance(session_id, str) and 0 < len(session_id) <= LONGEST_SESSION_ID
        )
    )


def key_id(token: str) -> str:
    """Return the id of the key that a token names. Raises ValueError or LookupError without one."""
    return str(orjson.loads(_decoded(token.partition(".")[0]))["kid"])


def unverified(token: str) -> Mapping[str, Any]:
    """Return the claims of a token, unverified; empty if it can't be read."""
    try:
        claims = orjson.loads(_decoded(token.split(".")[1]))
    except (ValueError, LookupError):
        return {}
    return claims if isinstance(claims, dict) else {}


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
