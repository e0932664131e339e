"""People who have logged in at the identity provider, and their role (OpenID Connect Core 1.0).

Nothing is stored of a log-in until it ends, so any replica can go on with it: `state` has the
instant at which it ends and is bound to a secret of the browser, from which the nonce and the
verifier of PKCE are derived, too.
"""

import base64
import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from services.accounts.cardholders.rules import Cardholder, ProviderLink

VALID_FOR = timedelta(minutes=10)
"""Lifetime of a log-in: the time to type a password there, and to show a second factor."""
LONGEST_SUBJECT = 255
"""Characters of `sub` (Core, section 2)."""


@dataclass(frozen=True)
class Identity:
    """Somebody who has logged in at the provider."""

    issuer: str
    subject: str = field(repr=False)
    names: tuple[str, ...] = field(repr=False)
    """Names of a new link, in small letters: `sub`, `preferred_username`, and verified `email`."""
    groups: frozenset[str] = field(repr=False)
    factors: frozenset[str]
    """Values of `amr` and `acr`: how they have logged in."""


def to_log_in(browser: str) -> str:
    """Return the purpose of the `state` of one browser; the text is its secret."""
    return f"identity provider\n{browser}"


def verifier_of(browser: str, state: str) -> str:
    """Return the secret that proves that the code is redeemed where it was asked for (RFC 7636)."""
    return hashlib.sha256(f"verifier\n{browser}\n{state}".encode()).hexdigest()


def nonce_of(browser: str, state: str) -> str:
    """Return the value that binds the ID token to the browser."""
    return hashlib.sha256(f"nonce\n{browser}\n{state}".encode()).hexdigest()


def challenge_of(verifier: str) -> str:
    """Return the digest of a verifier (S256)."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def login_name(typed: str) -> str:
    """Return a name at the provider as links have it."""
    return typed.strip().casefold()


def linked(holders: Iterable[Cardholder], identity: Identity) -> Cardholder | None:
    """Return whose account somebody is linked with: by `sub`, else by the first name of a new link.

    A link that was used before is bound to `iss` and `sub`, so that its name opens nothing else.
    """
    by_link = {one.provider_link: one for one in holders if one.provider_link}
    for link, holder in by_link.items():
        if (link.issuer, link.subject) == (identity.issuer, identity.subject):
            return holder
    unused = {link.login: holder for link, holder in by_link.items() if not link.subject}
    return next((unused[name] for name in identity.names if name in unused), None)


def bound(link: ProviderLink, identity: Identity) -> ProviderLink:
    """Return the link after a log-in with it."""
    return replace(link, issuer=identity.issuer, subject=identity.subject)


def role_in_session(
    roles: Sequence[str], groups: Collection[str], given: Sequence[tuple[str, Sequence[str]]]
) -> str | None:
    """Return the role that a session has of an account, which has `roles`, the last one all rights.

    `given` has the roles that each group gives; None is returned if those of somebody give none of
    the account. Groups never give a role that the account does not have. Without any in `given` the
    session has all of the account.
    """
    if not given:
        return roles[-1]
    theirs = {role for group, some in given if group in groups for role in some}
    left = [role for role in roles if role in theirs]
    return left[-1] if left else None
