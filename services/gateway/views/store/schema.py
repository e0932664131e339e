"""The collections of the gateway's database, those of a build, and the changes that events make."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from pymongo import ASCENDING, DESCENDING, IndexModel

from shared.declared_indexes import Indexes, sharded_by
from shared.mongo import Client, Collection, Database


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


VIEWS: Indexes = {
    "account_views": sharded_by(
        "_id",
        [
            # Finds the views that show a title, when the title arrives late or is corrected. Each
            # open loan, hold and charge has one entry, so a title may have several.
            IndexModel([("title_ids", ASCENDING)], sparse=True),
            # Finds the views with items that ended long ago.
            IndexModel([("oldest_end", ASCENDING)], sparse=True),
        ],
    ),
    "queues": sharded_by(
        "_id",
        [
            # Counts the places before a hold or a registration. No row names its patron.
            IndexModel([("queue", ASCENDING), ("waiting", ASCENDING), ("place", ASCENDING)]),
            IndexModel([("ended", ASCENDING)], sparse=True),
        ],
    ),
    "titles": [],
    "branches": [],
    "activities": [IndexModel([("type", ASCENDING), ("last_at", ASCENDING)])],
    "notices": [IndexModel([("branches", ASCENDING), ("date", DESCENDING)])],
    "suspensions": [],
}
BUCKETS: Indexes = {
    # A bucket without a draw for a minute is full again, the same as a missing one.
    "buckets": sharded_by("_id", [IndexModel([("at", ASCENDING)], expireAfterSeconds=90)]),
}
ENDED_SESSIONS = "ended_sessions"
SESSIONS: Indexes = {
    # Once the tokens of a session have expired, nobody needs to know that it had ended.
    ENDED_SESSIONS: sharded_by(
        "_id", [IndexModel([("expires_at", ASCENDING)], expireAfterSeconds=0)]
    ),
}
INDEXES: Indexes = {**VIEWS, **BUCKETS, **SESSIONS}

WHOLE = "#whole"
"""Id of the document among the views that marks them as complete.

It is in their collection so that it is lost together with them: views that were lost, and are
filling again with new events, are not shown as accounts. Its `stamp` is the one of the data that
all accounts share, its `form` the format of the views, its `since` the time of their completion.
"""
FORM = 6
"""Format of the views, raised when they must be rebuilt to show all that they can.

The previous views are served until the rebuild ends.
"""

BUILDS = "next_"
"""Prefix of the collections of all builds."""


class Collections(Protocol):
    """The views that are served (a database), or those that are being built."""

    @property
    def client(self) -> Client:
        """Return the client of their database."""

    def __getitem__(self, name: str, /) -> Collection: ...


@dataclass(frozen=True)
class Building:
    """Views that are being built: the same collections under other names."""

    database: Database
    build: str

    @property
    def client(self) -> Client:
        """Return the client of the database."""
        return self.database.client

    def __getitem__(self, name: str, /) -> Collection:
        """Return the collection that will become `name`."""
        return self.database[f"{self.prefix}{name}"]

    @property
    def prefix(self) -> str:
        """Prefix of the names of its collections."""
        return f"{BUILDS}{self.build}_"
