"""The collections of the gateway's database, with their indexes, and those of a build."""

from dataclasses import dataclass
from typing import Protocol

from pymongo import ASCENDING, DESCENDING, IndexModel

from shared.mongo import Client, Collection, Database, Indexes, sharded_by

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
