"""Collections of patrons, notifications, titles and activities."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pymongo import ASCENDING, DESCENDING, IndexModel

from services.notices.patrons.refusals import NoSuchPatron
from services.notices.patrons.rules import Broadcast, Notification, Patron
from shared.declared_indexes import Indexes, sharded_by
from shared.mongo import Database, SnapshotQuery, from_document, read_snapshot_page
from shared.personal_data import Personal
from shared.repository import Repository
from shared.unit_of_work import Work

PATRONS = "patrons"

NOTIFICATIONS = "notifications"
BROADCASTS = "causes"

MOST_SINCE = 100

TITLES = "titles"
ACTIVITIES = "activities"

INDEXES: Indexes = {
    PATRONS: sharded_by(
        "_id",
        [
            IndexModel([("preferences.branches", ASCENDING), ("_id", ASCENDING)]),
            IndexModel([("preferences.activity_types", ASCENDING), ("_id", ASCENDING)]),
        ],
    ),
    NOTIFICATIONS: sharded_by(
        "patron_id",
        [
            IndexModel(
                [
                    ("patron_id", ASCENDING),
                    ("at", DESCENDING),
                    ("happened", DESCENDING),
                    ("_id", DESCENDING),
                ]
            ),
        ],
    ),
    BROADCASTS: [
        IndexModel([("branch", ASCENDING), ("at", ASCENDING)]),
        IndexModel([("activity_type", ASCENDING), ("at", ASCENDING)]),
        IndexModel([("about.suspension_id", ASCENDING)], sparse=True),
    ],
    TITLES: [],
    ACTIVITIES: [],
}
PERSONAL = (Personal(PATRONS, "_id"), Personal(NOTIFICATIONS))


def get_unless_erased(work: Work, patron_id: str) -> Patron | None:
    """Return a patron, None if none is stored so far. Raises NoSuchPatron for an erased one."""
    patron = get(work, patron_id)
    if patron is not None and patron.erased:
        raise NoSuchPatron
    return patron


def hold(work: Work, patron: Patron | None, patron_id: str) -> None:
    """Write the patron's record, so that no erasure can commit during this transaction.

    Reading a snapshot would not stop a concurrent erasure, and the notification written here would
    remain in a deleted inbox.
    """
    save(work, Patron(patron_id) if patron is None else replace(patron, version=patron.version + 1))


async def find_followers(db: Database, broadcast: Broadcast, limit: int) -> list[str]:
    """Return the next patrons who ever followed the branch or the activity type of a broadcast.

    They come after `broadcast.after`, in order of id.
    """
    query: dict[str, Any] = {"_id": {"$gt": broadcast.after}}
    if broadcast.branch is not None:
        query["preferences.branches"] = broadcast.branch
    if broadcast.activity_type is not None:
        query["preferences.activity_types"] = broadcast.activity_type
    found = db[PATRONS].find(query, {"_id": 1}).sort("_id", ASCENDING).limit(limit)
    return [document["_id"] async for document in found]


async def count_followers(db: Database, branch: str, at: datetime) -> int:
    """Return the number of patrons who follow a branch at an instant."""
    query = {"preferences.branches": branch, "erased": False}
    count = 0
    async for document in db[PATRONS].find(query):
        then = from_document(Patron, document).in_force(at)
        count += then is not None and branch in then.branches
    return count


def notifications_since(work: Work, patron_id: str, start: datetime) -> list[Notification]:
    """Return at most MOST_SINCE notifications of a patron of events at or after an instant."""
    query = {"patron_id": patron_id, "at": {"$gte": start}, "withdrawn": False}
    return work.all(Notification, NOTIFICATIONS, query, limit=MOST_SINCE)


def broadcasts_between(
    work: Work,
    start: datetime,
    until: datetime | None,
    branches: Collection[str],
    activity_types: Collection[str],
) -> list[Broadcast]:
    """Return the broadcasts from `start` to before `until` of these branches or activity types."""
    span: dict[str, Any] = {"$gte": start} | ({"$lt": until} if until else {})
    query = {
        "$or": [
            {"branch": {"$in": sorted(branches)}, "at": span},
            {"activity_type": {"$in": sorted(activity_types)}, "at": span},
        ]
    }
    return work.all(Broadcast, BROADCASTS, query, sort=[("at", ASCENDING)])


async def find_newest(db: Database, patron_id: str, kinds: Collection[str]) -> Notification | None:
    """Return the newest notification of a patron that has one of these kinds, or None."""
    query = {"patron_id": patron_id, "withdrawn": False, "kind": {"$in": sorted(kinds)}}
    found = await db[NOTIFICATIONS].find_one(query, sort=[("at", DESCENDING)])
    return None if found is None else from_document(Notification, found)


def notified_before(
    work: Work, patron_ids: Collection[str], suspension_id: str, version: int
) -> set[str]:
    """Return those of these patrons who were told of an earlier version of a fine suspension."""
    earlier = {"suspension_id": suspension_id, "version": {"$not": {"$gte": version}}}
    query = {
        "patron_id": {"$in": sorted(patron_ids)},
        "withdrawn": False,
        "$or": [
            {"about." + name: one for name, one in earlier.items()},
            {"also": {"$elemMatch": earlier}},
        ],
    }
    return set(work.distinct(NOTIFICATIONS, "patron_id", query))


async def is_announced_later(db: Database, suspension_id: str, version: int) -> bool:
    """Return whether a newer version of a fine suspension than this has been announced."""
    newer = {"about.suspension_id": suspension_id, "about.version": {"$gt": version}}
    return await db[BROADCASTS].find_one(newer, {"_id": 1}) is not None


async def find_inbox(
    db: Database, patron_id: str, after: tuple[datetime, str, str] | None, limit: int
) -> list[Notification]:
    """Return at most `limit` notifications of a patron after an instant, event and id.

    They are in the order newest first, those of one instant in the order of their events' ids.
    """
    query: dict[str, Any] = {"patron_id": patron_id, "withdrawn": False}
    if after is not None:
        at, happened, notification_id = after
        query["$or"] = [
            {"at": {"$lt": at}},
            {"at": at, "happened": happened or None, "_id": {"$lt": notification_id}},
        ]
        if happened:
            # Includes notifications stored before the field existed, which come last.
            query["$or"].append({"at": at, "happened": {"$not": {"$gte": happened}}})
    order = [("at", DESCENDING), ("happened", DESCENDING), ("_id", DESCENDING)]
    found = db[NOTIFICATIONS].find(query).sort(order)
    return [from_document(Notification, document) async for document in found.limit(limit)]


async def find_unread(db: Database, query: SnapshotQuery) -> tuple[list[Notification], str | None]:
    """Return the unread notifications of a query, and the id at which the next part begins."""
    where = {"read": False, "withdrawn": False}
    return await read_snapshot_page(db[NOTIFICATIONS], Notification, query, where)


@dataclass(frozen=True)
class Title:
    """A book's title, in its latest version."""

    id: str
    version: int
    name: str


@dataclass(frozen=True)
class Activity:
    """An activity's title and start, in their latest version."""

    id: str
    version: int
    name: str
    starts_at: datetime | None = None
    """Start (UTC); None in documents stored before the field existed."""


_PATRONS = Repository(Patron, PATRONS)
get = _PATRONS.get
"""Return the record of a patron, which may be a tombstone, or None."""
some = _PATRONS.some
save = _PATRONS.put
find_one = _PATRONS.find

_NOTIFICATIONS = Repository(Notification, NOTIFICATIONS)
get_notification = _NOTIFICATIONS.get
some_notifications = _NOTIFICATIONS.some
save_notification = _NOTIFICATIONS.put
find_notification = _NOTIFICATIONS.find
delete_inbox = _NOTIFICATIONS.delete_of

_BROADCASTS = Repository(Broadcast, BROADCASTS)
get_broadcast = _BROADCASTS.get
save_broadcast = _BROADCASTS.put
find_broadcast = _BROADCASTS.find
"""Return the broadcast of an event with its progress; None before the first notification."""

_ACTIVITIES = Repository(Activity, ACTIVITIES)
find_activities = _ACTIVITIES.find_some
save_activity = _ACTIVITIES.note

_TITLES = Repository(Title, TITLES)
save_title = _TITLES.note


def is_known(work: Work, title_id: str) -> bool:
    """Return whether a book's title is known."""
    return bool(work.count(TITLES, {"_id": title_id}))


async def find_names(db: Database, title_ids: Collection[str]) -> dict[str, str]:
    """Return the known book titles, by id."""
    if not title_ids:
        return {}
    found = db[TITLES].find({"_id": {"$in": sorted(title_ids)}}, {"name": 1})
    return {document["_id"]: document["name"] async for document in found}
