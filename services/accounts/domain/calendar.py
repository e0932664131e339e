"""A patron's calendar feed, which anybody can read who has its secret link."""

import hmac
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Calendar:
    """The link to a patron's calendar feed; a new link replaces it."""

    link: str = field(repr=False)
    """Id of the link. It becomes a secret with a digest, so the database has no secret."""
    with_titles: bool
    """True if the feed shows the titles of items and activities."""
    made_at: datetime


def calendar_secret(link: str, key: str) -> str:
    """Return the secret in the address of a feed: the link's id, and a digest of it under `key`."""
    # Begins with a purpose, so that it is never the digest of a card number.
    digest = hmac.new(key.encode(), f"calendar\n{link}".encode(), "sha256").hexdigest()
    return f"{link}.{digest}"


def link_of_secret(secret: str, key: str) -> str | None:
    """Return the id of the link for which we made a secret, None if we did not make it."""
    if not (key and secret.isascii()):
        return None
    link = secret.rpartition(".")[0]
    return link if hmac.compare_digest(calendar_secret(link, key), secret) else None
