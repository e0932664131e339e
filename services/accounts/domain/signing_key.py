"""The keys that sign tokens."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

MARGIN = timedelta(minutes=1)
"""A login that read the key just before it was replaced may still sign with it."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One Ed25519 key. The one that signs has a private half; those before it only verify."""

    id: str
    """Its place in the sequence, from 1, in digits: two replicas can't both make the first."""
    kid: str
    """The key id in tokens: the thumbprint of the public half."""
    public: dict[str, str]
    """The public half as a JWK."""
    private: dict[str, str] | None = field(default=None, repr=False)
    """The whole key as a JWK; deleted when another takes its place."""
    published_until: datetime | None = None
    """When its last token has expired (wall clock); None while it signs."""
    version: int = 1


def retire(key: SigningKey, at: datetime, longest_token: timedelta) -> SigningKey:
    """The key when another takes its place: it verifies until its tokens have expired."""
    return replace(
        key,
        private=None,
        published_until=at + longest_token + MARGIN,
        version=key.version + 1,
    )
