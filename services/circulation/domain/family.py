"""Links of two patrons' cards, as accounts has published them."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Link:
    """One side of a link: `member_id` may renew, reserve and cancel for `patron_id`.

    An ended one is a tombstone, which names no patrons, so that an older event does not bring it
    back.
    """

    id: str
    patron_id: str
    member_id: str
    ended_at: datetime | None = None
    """Wall clock; None: not ended."""
    version: int = 1
