"""Keys that sign tokens."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

MARGIN = timedelta(minutes=1)
"""Extra time for which a replaced key stays published: a login that read it may still sign with
it."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key. The signing key has a private half; former keys only verify."""

    id: str
    """Position in the sequence of keys, from 1, in digits. Two replicas can't both insert the
    first."""
    kid: str
    """The key id in tokens: the thumbprint of the public half."""
    public: dict[str, str]
    """The public half as a JWK."""
    private: dict[str, str] | None = field(default=None, repr=False)
    """The whole key as a JWK, if it is not sealed; deleted when another key replaces it."""
    sealed: str | None = field(default=None, repr=False)
    """The whole key, sealed with a secret that is not in the database; deleted like `private`."""
    published_until: datetime | None = None
    """Instant when its last token has expired (wall clock); None while it signs."""
    version: int = 1


def retire(key: SigningKey, at: datetime, longest_token: timedelta) -> SigningKey:
    """Return the key as replaced: it verifies until its tokens have expired, and signs no more."""
    return replace(
        key,
        private=None,
        sealed=None,
        published_until=at + longest_token + MARGIN,
        version=key.version + 1,
    )
