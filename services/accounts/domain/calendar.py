"""A patron's calendar feed, which anybody can read who has its secret link."""

from dataclasses import dataclass, field
from datetime import datetime

from services.accounts.domain.unsubscribing import id_of, signed_id


@dataclass(frozen=True, slots=True)
class Calendar:
    """The link to a patron's calendar feed; a new link replaces it."""

    link: str = field(repr=False)
    """Id of the link. It becomes a secret with a digest, so the database has no secret."""
    with_titles: bool
    """True if the feed shows the titles of items and activities."""
    made_at: datetime


def calendar_secret(link: str, keys: str) -> str:
    """Return the secret in the address of a feed: the link's id, and its digest."""
    return signed_id("calendar", link, keys)


def link_of_secret(secret: str, keys: str) -> str | None:
    """Return the id of the link for which we made a secret, None if we did not make it."""
    return id_of("calendar", secret, keys)
