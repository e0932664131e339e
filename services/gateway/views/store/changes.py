"""The changes that events make: of a patron's view, a row that all accounts share, or a session."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal


@dataclass(frozen=True)
class ViewChange:
    """A change of one part of a patron's view, made by an event."""

    patron_id: str
    path: str
    """`patron`, `preferences`, `standing`, or `<kind>.<id>`.

    The kinds are loans, holds, charges, notifications, registrations, admissions, seats,
    bookings, enquiries and family.
    """
    content: Mapping[str, Any]
    """New content with its `version`. An ended item keeps little more than that."""
    source: str
    """Service that published the event."""
    at: datetime
    """Business time of the event."""
    ends: bool = False
    """True if the item has ended and may be removed after some time."""
    recorded_at: datetime | None = None
    """Time when the event was recorded; None for a snapshot or the answer to a new command."""
    creates: bool = True
    """True if it may add a missing item; otherwise it only changes a stored one."""


def lent_title(change: "Change") -> str | None:
    """Return the id of the title that a changed loan, hold or charge has, if any."""
    return change.content.get("title_id") if isinstance(change, ViewChange) else None


@dataclass(frozen=True)
class Erasure:
    """The erasure of a patron, which empties the view for good."""

    patron_id: str
    version: int
    recorded_at: datetime | None = None
    """Same as in ViewChange."""


@dataclass(frozen=True)
class Row:
    """A title, branch, activity, notice, fine suspension or queue place, outside the views."""

    kind: Literal["title", "branch", "activity", "notice", "suspension", "place"]
    id: str
    content: Mapping[str, Any]
    """New content with its `version`."""
    ends: bool = False
    recorded_at: datetime | None = None
    creates: bool = True
    """Same as in ViewChange, like `recorded_at`."""


@dataclass(frozen=True)
class SessionEnd:
    """The end of a session, whose tokens are refused until they expire."""

    session_id: str
    account_id: str
    expires_at: datetime
    """Instant by the wall clock when its last token expires."""
    recorded_at: datetime | None = None
    """Same as in ViewChange."""


AccountChange = ViewChange | Erasure | Row
"""A change of what accounts show."""
Change = AccountChange | SessionEnd

TABLES = {
    "title": "titles",
    "branch": "branches",
    "activity": "activities",
    "notice": "notices",
    "suspension": "suspensions",
    "place": "queues",
}
SHOWN_TO_ALL = {"branch", "suspension", "activity"}
"""Kinds of rows that many accounts show, and that change seldom."""
