"""Collections of the notices service, with their indexes. Only this module names them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pymongo import ASCENDING, DESCENDING, IndexModel

from services.notices.domain.branch import Branch
from services.notices.domain.closure import Closure
from services.notices.domain.notice import Notice
from services.notices.domain.notification import Cause, Notification
from services.notices.domain.patron import Patron
from shared.mongo import Database, Indexes, SnapshotQuery, from_document, read_snapshot_page
from shared.unit_of_work import Work

BRANCHES = "branches"
CLOSURES = "closures"
NOTICES = "notices"
NOTIFICATIONS = "notifications"
CAUSES = "causes"
PATRONS = "patrons"
TITLES = "titles"
ACTIVITIES = "activities"

INDEXES: Indexes = {
    BRANCHES: [
        IndexModel([("kind", ASCENDING)]),
        IndexModel([("closures.closure_id", ASCENDING)]),
    ],
    CLOSURES: [IndexModel([("branches", ASCENDING), ("_id", DESCENDING)])],
    NOTICES: [
        IndexModel([("date", DESCENDING), ("_id", DESCENDING)]),
        IndexModel([("branches", ASCENDING), ("date", DESCENDING), ("_id", DESCENDING)]),
    ],
    NOTIFICATIONS: [
        IndexModel(
            [
                ("patron_id", ASCENDING),
                ("at", DESCENDING),
                ("happened", DESCENDING),
                ("_id", DESCENDING),
            ]
        ),
    ],
    CAUSES: [
        IndexModel([("branch", ASCENDING), ("at", ASCENDING)]),
        IndexModel([("activity_type", ASCENDING), ("at", ASCENDING)]),
    ],
    PATRONS: [
        IndexModel([("preferences.branches", ASCENDING), ("_id", ASCENDING)]),
        IndexModel([("preferences.activity_types", ASCENDING), ("_id", ASCENDING)]),
    ],
    TITLES: [],
    ACTIVITIES: [],
}


@dataclass(frozen=True)
class Named:
    """A name that another service published, in its latest version."""

    id: str
    version: int
    name: str


@dataclass(frozen=True)
class Activity(Named):
    """An activity as events last published it."""

    starts_at: datetime | None = None
    """Start (UTC); None in documents stored before the field existed."""


# ---- branches, closures and notices, in a transaction -------------------------------------------


async def branch(work: Work, code: str) -> Branch | None:
    """The branch with this code."""
    return await work.find(Branch, BRANCHES, {"_id": code})


async def branches(
    work: Work, codes: Collection[str] = (), kinds: Collection[str] = ()
) -> list[Branch]:
    """The branches with one of these codes or of one of these kinds, in order of code."""
    query = {"$or": [{"_id": {"$in": sorted(codes)}}, {"kind": {"$in": sorted(kinds)}}]}
    return await work.all(Branch, BRANCHES, query, sort=[("_id", ASCENDING)])


async def add_branch(work: Work, branch: Branch) -> None:
    """Store a new branch. The code is its id, so it is unique."""
    await work.add(BRANCHES, branch)


async def save_branch(work: Work, branch: Branch) -> None:
    """Store the next version of a branch; of two writers of one version only one succeeds."""
    await work.save(BRANCHES, branch)


async def closure(work: Work, closure_id: str) -> Closure | None:
    """The closure with this id."""
    return await work.find(Closure, CLOSURES, {"_id": closure_id})


async def add_closure(work: Work, closure: Closure) -> None:
    """Store a new closure."""
    await work.add(CLOSURES, closure)


async def save_closure(work: Work, closure: Closure) -> None:
    """Store the next version of a closure."""
    await work.save(CLOSURES, closure)


async def add_notice(work: Work, notice: Notice) -> None:
    """Store a new notice."""
    await work.add(NOTICES, notice)


# ---- patrons and their notifications, in a transaction ------------------------------------------


async def patron(work: Work, patron_id: str) -> Patron | None:
    """The record of a patron, which may be a tombstone."""
    return await work.find(Patron, PATRONS, {"_id": patron_id})


async def patrons(work: Work, patron_ids: Sequence[str]) -> dict[str, Patron]:
    """The existing records of these patrons, by id."""
    found = await work.all(Patron, PATRONS, {"_id": {"$in": list(patron_ids)}})
    return {one.id: one for one in found}


async def save_patron(work: Work, patron: Patron) -> None:
    """Store the next version of a patron's record; version 1 is a new one."""
    if patron.version == 1:
        await work.add(PATRONS, patron)
    else:
        await work.save(PATRONS, patron)


async def hold_patron(work: Work, patron: Patron | None, patron_id: str) -> None:
    """Write the patron's record, so that no erasure can commit during this transaction.

    Reading a snapshot would not stop a concurrent erasure, and the notification written here would
    remain in a deleted inbox.
    """
    await save_patron(
        work, Patron(patron_id) if patron is None else replace(patron, version=patron.version + 1)
    )


async def forget_inbox(work: Work, patron_id: str) -> None:
    """Delete all notifications of this patron."""
    await work.delete(NOTIFICATIONS, {"patron_id": patron_id})


async def notification(work: Work, notification_id: str) -> Notification | None:
    """The notification with this id."""
    return await work.find(Notification, NOTIFICATIONS, {"_id": notification_id})


async def notifications(work: Work, ids: Iterable[str]) -> dict[str, Notification]:
    """The existing notifications of these ids, by id."""
    found = await work.all(Notification, NOTIFICATIONS, {"_id": {"$in": list(ids)}})
    return {one.id: one for one in found}


async def save_notification(work: Work, notification: Notification) -> None:
    """Store a notification; version 1 is a new one."""
    if notification.version == 1:
        await work.add(NOTIFICATIONS, notification)
    else:
        await work.save(NOTIFICATIONS, notification)


async def cause(work: Work, event_id: str) -> Cause | None:
    """The cause of this event."""
    return await work.find(Cause, CAUSES, {"_id": event_id})


async def save_cause(work: Work, cause: Cause) -> None:
    """Store a cause with its progress; version 1 is a new one."""
    if cause.version == 1:
        await work.add(CAUSES, cause)
    else:
        await work.save(CAUSES, cause)


async def causes_between(
    work: Work,
    start: datetime,
    until: datetime | None,
    branches: Collection[str],
    activity_types: Collection[str],
) -> list[Cause]:
    """The causes from `start` to before `until` of these branches or types of activity."""
    span: dict[str, Any] = {"$gte": start} | ({"$lt": until} if until else {})
    query = {
        "$or": [
            {"branch": {"$in": sorted(branches)}, "at": span},
            {"activity_type": {"$in": sorted(activity_types)}, "at": span},
        ]
    }
    return await work.all(Cause, CAUSES, query, sort=[("at", ASCENDING)])


async def note_title(work: Work, title: Named) -> None:
    """Store a book title, unless the stored version is newer."""
    await work.save_if_newer(TITLES, title)


async def note_activity(work: Work, activity: Activity) -> None:
    """Store an activity, unless the stored version is newer."""
    await work.save_if_newer(ACTIVITIES, activity)


# ---- reads outside transactions -----------------------------------------------------------------


async def read_cause(db: Database, event_id: str) -> Cause | None:
    """The cause of this event, with its progress."""
    found = await db[CAUSES].find_one({"_id": event_id})
    return None if found is None else from_document(Cause, found)


async def followers(db: Database, cause: Cause, limit: int) -> list[str]:
    """The next patrons, after `cause.after`, who ever followed the branch or type of the cause."""
    query: dict[str, Any] = {"_id": {"$gt": cause.after}}
    if cause.branch is not None:
        query["preferences.branches"] = cause.branch
    if cause.activity_type is not None:
        query["preferences.activity_types"] = cause.activity_type
    found = db[PATRONS].find(query, {"_id": 1}).sort("_id", ASCENDING).limit(limit)
    return [document["_id"] async for document in found]


async def followers_now(db: Database, branch_code: str, at: datetime) -> int:
    """Return the number of patrons who follow a branch at an instant."""
    query = {"preferences.branches": branch_code, "erased": False}
    found = 0
    async for document in db[PATRONS].find(query):
        then = from_document(Patron, document).in_force(at)
        found += then is not None and branch_code in then.branches
    return found


async def read_branch(db: Database, code: str) -> Branch | None:
    """The branch with this code."""
    found = await db[BRANCHES].find_one({"_id": code})
    return None if found is None else from_document(Branch, found)


async def read_branches(db: Database, query: Mapping[str, Any], limit: int = 0) -> list[Branch]:
    """The branches that match a query, in order of code."""
    found = db[BRANCHES].find(query).sort("_id", ASCENDING).limit(limit)
    return [from_document(Branch, document) async for document in found]


async def branches_after(db: Database, after: str | None, limit: int) -> list[Branch]:
    """At most `limit` branches after a code."""
    return await read_branches(db, {"_id": {"$gt": after or ""}}, limit)


async def branches_in_closures(db: Database, closure_ids: Collection[str]) -> list[Branch]:
    """The branches that any of these closures covers."""
    return await read_branches(db, {"closures.closure_id": {"$in": sorted(closure_ids)}})


async def read_closure(db: Database, closure_id: str) -> Closure | None:
    """The closure with this id."""
    found = await db[CLOSURES].find_one({"_id": closure_id})
    return None if found is None else from_document(Closure, found)


async def closures_before(
    db: Database, branch: str | None, after: str | None, limit: int
) -> list[Closure]:
    """At most `limit` closures, newest first, of one branch or of all."""
    query: dict[str, Any] = {}
    if branch is not None:
        query["branches"] = branch
    if after is not None:
        query["_id"] = {"$lt": after}
    found = db[CLOSURES].find(query).sort("_id", DESCENDING).limit(limit)
    return [from_document(Closure, document) async for document in found]


async def notices_before(
    db: Database, branch: str | None, after: tuple[str, str] | None, limit: int
) -> list[Notice]:
    """At most `limit` notices, newest first, after a date and id.

    With `branch`, those that concern it; a notice of the whole library concerns every branch.
    """
    query: dict[str, Any] = {}
    if branch is not None:
        query["branches"] = {"$in": [branch, []]}
    if after is not None:
        query["$or"] = [{"date": {"$lt": after[0]}}, {"date": after[0], "_id": {"$lt": after[1]}}]
    order = [("date", DESCENDING), ("_id", DESCENDING)]
    found = db[NOTICES].find(query).sort(order).limit(limit)
    return [from_document(Notice, document) async for document in found]


async def inbox(
    db: Database, patron_id: str, after: tuple[datetime, str, str] | None, limit: int
) -> list[Notification]:
    """At most `limit` notifications of a patron, newest first, after an instant, event and id.

    Notifications of one instant are in the order of their events' ids.
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


async def read_patron(db: Database, patron_id: str) -> Patron | None:
    """The record of a patron, which may be a tombstone."""
    found = await db[PATRONS].find_one({"_id": patron_id})
    return None if found is None else from_document(Patron, found)


async def find_branches(db: Database, query: SnapshotQuery) -> tuple[list[Branch], str | None]:
    """Return a page of the branches, and the id to continue after."""
    return await read_snapshot_page(db[BRANCHES], Branch, query)


async def find_notices(db: Database, query: SnapshotQuery) -> tuple[list[Notice], str | None]:
    """Return a page of the notices, and the id to continue after."""
    return await read_snapshot_page(db[NOTICES], Notice, query)


async def find_unread(db: Database, query: SnapshotQuery) -> tuple[list[Notification], str | None]:
    """Return a page of the unread notifications, and the id to continue after."""
    where = {"read": False, "withdrawn": False}
    return await read_snapshot_page(db[NOTIFICATIONS], Notification, query, where)


async def title_names(db: Database, ids: Collection[str]) -> dict[str, str]:
    """The known book titles, by id."""
    return await _names(db, TITLES, ids)


async def activities(db: Database, ids: Collection[str]) -> dict[str, Activity]:
    """The known activities, by id."""
    found = db[ACTIVITIES].find({"_id": {"$in": sorted(ids)}})
    return {document["_id"]: from_document(Activity, document) async for document in found}


async def branch_names(db: Database, codes: Collection[str]) -> dict[str, str]:
    """The known names of branches, by code."""
    return await _names(db, BRANCHES, codes)


async def _names(db: Database, collection: str, ids: Collection[str]) -> dict[str, str]:
    if not ids:
        return {}
    found = db[collection].find({"_id": {"$in": sorted(ids)}}, {"name": 1})
    return {document["_id"]: document["name"] async for document in found}
