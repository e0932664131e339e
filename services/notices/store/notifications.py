"""Notifications in patrons' inboxes, and the events of which several patrons are notified."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from pymongo import ASCENDING, DESCENDING, IndexModel

from services.notices.domain.notification import Broadcast, Notification
from shared.mongo import (
    Database,
    Indexes,
    SnapshotQuery,
    from_document,
    read_snapshot_page,
    sharded_by,
)
from shared.unit_of_work import Work

NOTIFICATIONS = "notifications"
BROADCASTS = "causes"

MOST_SINCE = 100

INDEXES: Indexes = {
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
}


def get(work: Work, notification_id: str) -> Notification | None:
    """Return a notification by its id, or None."""
    return work.find(Notification, NOTIFICATIONS, {"_id": notification_id})


def some(work: Work, ids: Iterable[str]) -> dict[str, Notification]:
    """Return the existing notifications of these ids, by id."""
    found = work.all(Notification, NOTIFICATIONS, {"_id": {"$in": list(ids)}})
    return {one.id: one for one in found}


def save(work: Work, notification: Notification) -> None:
    """Save a notification; version 1 is a new one."""
    if notification.version == 1:
        work.add(NOTIFICATIONS, notification)
    else:
        work.save(NOTIFICATIONS, notification)


def since(work: Work, patron_id: str, start: datetime) -> list[Notification]:
    """Return at most MOST_SINCE notifications of a patron of events at or after an instant."""
    query = {"patron_id": patron_id, "at": {"$gte": start}, "withdrawn": False}
    return work.all(Notification, NOTIFICATIONS, query, limit=MOST_SINCE)


def delete_inbox(work: Work, patron_id: str) -> None:
    """Delete all notifications of a patron."""
    work.delete(NOTIFICATIONS, {"patron_id": patron_id})


def get_broadcast(work: Work, event_id: str) -> Broadcast | None:
    """Return the broadcast of an event, or None."""
    return work.find(Broadcast, BROADCASTS, {"_id": event_id})


def save_broadcast(work: Work, broadcast: Broadcast) -> None:
    """Save a broadcast with its progress; version 1 is a new one."""
    if broadcast.version == 1:
        work.add(BROADCASTS, broadcast)
    else:
        work.save(BROADCASTS, broadcast)


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


async def find_broadcast(db: Database, event_id: str) -> Broadcast | None:
    """Return the broadcast of an event with its progress; None before the first notification."""
    found = await db[BROADCASTS].find_one({"_id": event_id})
    return None if found is None else from_document(Broadcast, found)


async def find_one(db: Database, notification_id: str) -> Notification | None:
    """Return a notification, or None."""
    found = await db[NOTIFICATIONS].find_one({"_id": notification_id})
    return None if found is None else from_document(Notification, found)


async def find_newest(db: Database, patron_id: str, kinds: Collection[str]) -> Notification | None:
    """Return the newest notification of a patron that has one of these kinds, or None."""
    query = {"patron_id": patron_id, "withdrawn": False, "kind": {"$in": sorted(kinds)}}
    found = await db[NOTIFICATIONS].find_one(query, sort=[("at", DESCENDING)])
    return None if found is None else from_document(Notification, found)


def told_before(
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
