"""ID tokens of the identity provider, whose signature is right (OpenID Connect Core 1.0)."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwt import JWTClaimsRegistry

from services.accounts.identity_provider.refusals import BadProviderLogIn
from services.accounts.identity_provider.rules import LONGEST_SUBJECT, Identity, login_name
from shared.clock import SKEW_SECONDS


def identity_of(
    claims: Mapping[str, Any],
    *,
    issuer: str,
    client_id: str,
    nonce: str,
    groups_claim: str,
    at: datetime,
) -> Identity:
    """Return whom the claims of a signed ID token name (Core, section 3.1.3.7).

    `at`: the wall clock. Raises BadProviderLogIn.
    """
    registry = JWTClaimsRegistry(
        now=int(at.timestamp()),
        leeway=SKEW_SECONDS,
        iss={"essential": True, "value": issuer},
        aud={"essential": True, "value": client_id},
        sub={"essential": True},
        exp={"essential": True},
        iat={"essential": True},
        nonce={"essential": True, "value": nonce},
    )
    try:
        registry.validate(dict(claims))
    except (JoseError, ValueError, TypeError):
        raise BadProviderLogIn from None
    audience, party = claims["aud"], claims.get("azp")
    only = audience in (client_id, [client_id])
    subject = claims["sub"]
    if party not in ((None, client_id) if only else (client_id,)):
        raise BadProviderLogIn
    if not 0 < len(subject) <= LONGEST_SUBJECT:
        raise BadProviderLogIn
    email = claims.get("email") if claims.get("email_verified") is True else None
    names = (subject, claims.get("preferred_username"), email)
    return Identity(
        issuer=issuer,
        subject=subject,
        names=tuple(dict.fromkeys(login_name(one) for one in names if isinstance(one, str))),
        groups=frozenset(_texts(claims.get(groups_claim))),
        factors=frozenset((*_texts(claims.get("amr")), *_texts(claims.get("acr")))),
    )


def _texts(value: Any) -> Iterable[str]:
    listed = value if isinstance(value, list) else [value]
    return (one for one in listed if isinstance(one, str))
