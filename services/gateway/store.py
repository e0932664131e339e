"""Store of the account views and of the data shown with them. Names all collections.

Every write applies a change only if it is newer, as one update with a pipeline: it reads the stored
version and decides in the same atomic step. So any number of writers, in any order and with any
repetition, come to the same document. A guard in the filter could do that too, but it could not
raise `heard` when the resource itself is not newer, and a refused upsert is a duplicate-key error
that looks like two writers creating the document at once. (With `_id` alone in the filter the
server itself retries an upsert that lost such a race.)
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol

from bson import ObjectId
from pymongo import ASCENDING, DESCENDING, IndexModel, ReturnDocument, UpdateMany, UpdateOne
from pymongo.write_concern import WriteConcern

from shared.clock import wall_clock
from shared.mongo import Collection, Database, Document, Indexes, ensure_indexes

VIEWS: Indexes = {
    "account_views": [
        # Finds the views that show a title, when the title arrives late or is corrected.
        IndexModel([("title_ids", ASCENDING)], sparse=True),
        # Finds the views with items that ended long ago.
        IndexModel([("oldest_end", ASCENDING)], sparse=True),
    ],
    "queues": [
        # Counts the places before a hold or a registration. No row names its patron.
        IndexModel([("queue", ASCENDING), ("waiting", ASCENDING), ("place", ASCENDING)]),
        IndexModel([("ended", ASCENDING)], sparse=True),
    ],
    "titles": [],
    "branches": [],
    "activities": [IndexModel([("type", ASCENDING), ("last_at", ASCENDING)])],
    "notices": [IndexModel([("branches", ASCENDING), ("date", DESCENDING)])],
    "suspensions": [],
}
BUCKETS: Indexes = {
    # A bucket without a draw for a minute is full again, the same as a missing one.
    "buckets": [IndexModel([("at", ASCENDING)], expireAfterSeconds=90)],
}
INDEXES: Indexes = {**VIEWS, **BUCKETS}


@dataclass(frozen=True)
class ViewChange:
    """A change of one part of a patron's view, made by an event."""

    patron_id: str
    path: str
    """`patron`, `preferences`, or `<kind>.<id>`.

    The kinds are loans, holds, charges, notifications and registrations.
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
    """Time when the event was recorded; None for an owner's direct answer."""
    creates: bool = True
    """True if it may add a missing item; otherwise it only changes a stored one."""


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


Change = ViewChange | Erasure | Row

TABLES = {
    "title": "titles",
    "branch": "branches",
    "activity": "activities",
    "notice": "notices",
    "suspension": "suspensions",
    "place": "queues",
}
_SHOWN_TO_ALL = {"branch", "suspension", "activity"}
"""Kinds of rows that many accounts show, and that change seldom."""

WHOLE = "#whole"
"""Id of the document among the views that marks them as complete.

It is in their collection so that it is lost together with them: views that were lost, and are
filling again with new events, are not shown as accounts. Its `stamp` is the one of the data that
all accounts share, its `form` the format of the views, its `since` the time of their completion.
"""
FORM = 2
"""Format of the views, raised when they must be rebuilt to show all that they can.

The previous views are served until the rebuild ends.
"""


LATE = timedelta(minutes=2)
"""Time between an event and a later build after which the owners' answers contain the event.

So an event that was recorded earlier creates nothing in views that were built: an item that they
lack has ended, even if the event of its end was read first. The span is longer than clocks may
differ and a transaction may last.
"""


class Collections(Protocol):
    """The views that are served (a database), or those that are being built."""

    def __getitem__(self, name: str, /) -> Collection: ...


@dataclass(frozen=True)
class Building:
    """Views that are being built: the same collections under other names."""

    database: Database
    build: str

    def __getitem__(self, name: str, /) -> Collection:
        """Return the collection that will become `name`."""
        return self.database[f"{self.prefix}{name}"]

    @property
    def prefix(self) -> str:
        """Prefix of the names of its collections."""
        return f"{_BUILDS}{self.build}_"


class NotWhole(Exception):
    """The views do not show all that the owners have; they have to be built first."""


@dataclass(frozen=True)
class Stamps:
    """Stamps of all that an account shows; they are different in each of its states."""

    view: object
    """Stamp of the patron's view; None if there is no view."""
    common: object
    """Stamp of branches, fine suspensions and activities; None before their first change."""


@dataclass(frozen=True)
class Branch:
    """The data of a branch that accounts need."""

    calendar_version: int
    relief: Sequence[Mapping[str, Any]]
    """Closures that grant extra renewals while they last.

    Each has `from`, `reopened_on` and `extra_renewals`, with dates as ISO text; `reopened_on` is
    None while no end is announced.
    """


@dataclass(frozen=True)
class Common:
    """The data that all accounts share."""

    branches: Mapping[str, Branch]
    """Branches by code."""
    suspensions_version: int
    """Sum of the versions of all fine suspensions, which grows with each change of any."""


class BuildLost(Exception):
    """Another process has dropped this build, or the whole database is gone."""


async def apply(views: Collections, changes: Sequence[Change]) -> None:
    """Apply each change unless the same or a newer version is stored. Safe to repeat.

    Loans, holds and charges are stored with their title, which may arrive at the same moment. So
    their writer reads titles again after the write, and the writer of a title looks for them after
    its write: the later one of the two sees the other's write.
    """
    changes = await _not_too_late(views, changes)
    lent = {title_id for change in changes if (title_id := _lent_title(change))}
    known = await _titles(views, lent)
    writes: dict[str, list[UpdateOne]] = {}
    for change in changes:
        if isinstance(change, Row):
            writes.setdefault(TABLES[change.kind], []).append(_row_write(change))
        elif isinstance(change, Erasure):
            writes.setdefault("account_views", []).append(_erasure_write(change))
        else:
            title = known.get(_lent_title(change) or "")
            writes.setdefault("account_views", []).append(_view_write(change, title))
    for collection, updates in writes.items():
        await views[collection].bulk_write(updates, ordered=False)
    if any(isinstance(change, Row) and change.kind in _SHOWN_TO_ALL for change in changes):
        # After the rows, and even if they are no news: an earlier writer may have been killed here.
        new = {"$set": {"stamp": ObjectId()}}
        await views["account_views"].update_one({"_id": WHOLE}, new)
    told = {change.id for change in changes if isinstance(change, Row) and change.kind == "title"}
    current = await _titles(views, lent | told)
    await _show_titles(
        views,
        [
            title
            for title_id, title in current.items()
            if title_id in told or known.get(title_id) != title
        ],
    )


async def account_view(database: Database, patron_id: str) -> tuple[Document | None, Stamps]:
    """Return a patron's view (None before their first event) and its stamps. Raises NotWhole."""
    found = await database.account_views.find({"_id": {"$in": [WHOLE, patron_id]}}).to_list(2)
    by_id = {document["_id"]: document for document in found}
    return by_id.get(patron_id), _stamps_in(by_id, patron_id)


async def stamps(database: Database, patron_ids: Sequence[str]) -> dict[str, Stamps]:
    """Return the present stamps of some patrons' views. Raises NotWhole."""
    # A bare command takes the driver a fifth less processor time than `find`.
    answer = await database.command(
        {
            "find": "account_views",
            "filter": {"_id": {"$in": [WHOLE, *patron_ids]}},
            "projection": {"stamp": 1},
            "batchSize": len(patron_ids) + 1,
            "singleBatch": True,
        }
    )
    by_id = {document["_id"]: document for document in answer["cursor"]["firstBatch"]}
    return {patron_id: _stamps_in(by_id, patron_id) for patron_id in patron_ids}


def _stamps_in(by_id: Mapping[str, Document], patron_id: str) -> Stamps:
    if WHOLE not in by_id:
        raise NotWhole
    return Stamps(by_id.get(patron_id, {}).get("stamp"), by_id[WHOLE].get("stamp"))


async def common(database: Database) -> Common:
    """Return the data that all accounts share. Reads some hundred small documents."""
    branches = {
        row["_id"]: Branch(row["version"], row.get("relief", ()))
        async for row in database.branches.find({}, {"version": 1, "relief": 1})
    }
    suspensions = database.suspensions.find({}, {"version": 1})
    return Common(branches, sum([row["version"] async for row in suspensions]))


async def written(database: Database) -> AsyncGenerator[str, None]:
    """Yield the id of each patron whose view is written, from now on.

    The first value is "", as soon as the views are watched. WHOLE means that shared data has
    changed. Ends when the views are dropped or replaced.
    """
    pipeline: list[Document] = [{"$project": {"documentKey": 1}}]
    async with database.account_views.watch(pipeline, max_await_time_ms=2000) as changes:
        yield ""
        async for change in changes:
            if "documentKey" in change:
                yield change["documentKey"]["_id"]


async def positions(database: Database, waiting: Mapping[str, Document]) -> dict[str, int]:
    """Return the places in line of holds and registrations that wait, by id; 1 is next.

    Each has its `queue`, a title or an activity, and its `place` in that. Counted on demand,
    because a place in line changes with other patrons' holds, without an event for this patron.
    """
    if not waiting:
        return {}
    before = [{"queue": w["queue"], "place": {"$lte": w["place"]}} for w in waiting.values()]
    cursor = database.queues.aggregate(
        [
            {"$match": {"waiting": True, "$or": before}},
            {"$group": {"_id": "$queue", "count": {"$sum": 1}}},
        ]
    )
    by_queue = {row["_id"]: row["count"] async for row in cursor}
    return {key: by_queue.get(each["queue"], 1) for key, each in waiting.items()}


async def keep_accruing(
    database: Database, patron_id: str, at: datetime, said: Mapping[str, Any]
) -> None:
    """Store circulation's answer of business time `at` about accruing fines.

    A newer stored answer stays, and an erased patron's view is not changed.
    """
    await database.account_views.update_one(
        {
            "_id": patron_id,
            "patron.status": {"$ne": "erased"},
            "accruing.at": {"$not": {"$gt": at}},
        },
        {"$set": {"accruing": {"at": at, **said}}},
    )


async def some_activities(database: Database, ids: Sequence[str]) -> dict[str, Document]:
    """Return the known ones of these activities, by id."""
    if not ids:
        return {}
    found = database.activities.find({"_id": {"$in": list(ids)}})
    return {row["_id"]: row async for row in found}


async def activities(
    database: Database, types: Sequence[str], since: datetime, limit: int
) -> list[Document]:
    """Return these types' activities not cancelled and not over at `since`, the earliest first."""
    query = {"type": {"$in": list(types)}, "last_at": {"$gte": since}, "cancelled": {"$ne": True}}
    order = [("starts_at", ASCENDING), ("_id", ASCENDING)]
    return await database.activities.find(query).sort(order).limit(limit).to_list(limit)


async def notices(database: Database, branches: Sequence[str], limit: int) -> list[Document]:
    """Return notices of any of these branches and of the whole library, the newest first."""
    query = {"$or": [{"branches": {"$in": list(branches)}}, {"branches": []}]}
    order = [("date", DESCENDING), ("_id", DESCENDING)]
    return await database.notices.find(query).sort(order).limit(limit).to_list(limit)


async def branch_names(database: Database, branches: Sequence[str]) -> dict[str, str]:
    """Return the names of known branches by code."""
    found = database.branches.find({"_id": {"$in": list(branches)}}, {"name": 1})
    return {row["_id"]: row["name"] async for row in found}


# ---- removing ended items -----------------------------------------------------------------------

# An ended item is kept for a while, so that an older event that arrives late does not bring it
# back. Events that arrive later still are skipped.
_WITH_ENDS = ("loans", "holds", "charges", "notifications", "registrations")


async def forget(database: Database, before: datetime, limit: int) -> int:
    """Remove items that ended before `before`, from at most `limit` views and `limit` places.

    Return the number of these views and places. What accounts show stays the same, and so do the
    stamps.
    """
    long_ago = {"oldest_end": {"$lt": before}}
    due = database.account_views.find(long_ago, {"_id": 1}).sort("oldest_end", ASCENDING)
    views = [view["_id"] async for view in due.limit(limit)]
    over = database.queues.find({"ended": {"$lt": before}}, {"_id": 1}).limit(limit)
    places = [row["_id"] async for row in over]
    if views or places:
        # First, so that no older event is applied once something is removed.
        await database.account_views.update_one({"_id": WHOLE}, {"$max": {"forgotten": before}})
    if views:
        which = {"_id": {"$in": views}, **long_ago}
        await database.account_views.delete_many({**which, "patron.status": "erased"})
        await database.account_views.update_many(which, _without_ends(before))
    if places:
        await database.queues.delete_many({"_id": {"$in": places}, "ended": {"$lt": before}})
    return len(views) + len(places)


def _without_ends(before: datetime) -> list[Document]:
    ended = {"$eq": [{"$type": "$$this.v.ended"}, "date"]}
    long_ago = {"$and": [ended, {"$lt": ["$$this.v.ended", before]}]}
    kept: Document = {}
    for kind in _WITH_ENDS:
        left = {"$filter": {"input": {"$objectToArray": f"${kind}"}, "cond": {"$not": [long_ago]}}}
        there = {"$eq": [{"$type": f"${kind}"}, "object"]}
        kept[kind] = {"$cond": [there, {"$arrayToObject": left}, "$$REMOVE"]}
    ends = [
        {
            "$map": {
                "input": {"$objectToArray": {"$ifNull": [f"${kind}", {}]}},
                "in": "$$this.v.ended",
            }
        }
        for kind in _WITH_ENDS
    ]
    oldest = {"$ifNull": [{"$min": {"$concatArrays": ends}}, "$$REMOVE"]}
    return [{"$set": kept}, {"$set": {"oldest_end": oldest}}]


async def remembers_since(views: Collections) -> datetime | None:
    """Return the time before which ends are no longer known; None if all are known.

    Items that ended earlier were removed, or were never built: a build contains nothing that had
    ended before it began, by the clock of the process that builds. An event may have been recorded
    by another clock, so for events the time is approximate.
    """
    whole = await views["account_views"].find_one({"_id": WHOLE}) or {}
    return max((at for at in (whole.get("forgotten"), whole.get("begun")) if at), default=None)


# ---- rebuilding ---------------------------------------------------------------------------------

_BUILDS = "next_"


async def form(database: Database) -> int | None:
    """Return the format of the views; None if they are not complete."""
    found = await database.account_views.find_one({"_id": WHOLE})
    return None if found is None else int(found.get("form", 1))


async def begin_build(database: Database, build: str) -> Building:
    """Create new, empty views next to those that are served; drop unfinished builds."""
    await _drop(database, _BUILDS)
    building = Building(database, build)
    views = {f"{building.prefix}{name}": models for name, models in VIEWS.items()}
    # The whole database may have been lost together with the views.
    await ensure_indexes(database, {**views, **BUCKETS})
    await building["account_views"].insert_one(
        {"_id": WHOLE, "begun": wall_clock(), "since": None, "form": FORM}
    )
    return building


async def finish_build(building: Building) -> None:
    """Replace the served views with the built ones, the accounts last. Raises BuildLost."""
    finished = await building["account_views"].update_one(
        {"_id": WHOLE}, {"$set": {"since": wall_clock()}}
    )
    if not finished.matched_count:
        raise BuildLost
    for name in sorted(VIEWS, key=lambda name: name == "account_views"):
        await building[name].rename(name, dropTarget=True)


async def note_restored(database: Database, offsets: Mapping[str, int]) -> None:
    """Store the offsets, by topic/partition, before which builds read no events.

    After a restore, earlier events may tell of changes that the owners no longer have.
    """
    writes = [
        UpdateOne({"_id": place}, {"$set": {"offset": offset}}, upsert=True)
        for place, offset in offsets.items()
    ]
    await database.restored.bulk_write(writes, ordered=False)


async def restored_offsets(database: Database) -> dict[str, int]:
    """Return the offsets that `note_restored` stored."""
    return {row["_id"]: row["offset"] async for row in database.restored.find({})}


async def drop_build(database: Database, build: str) -> None:
    """Drop the remains of a build."""
    await _drop(database, Building(database, build).prefix)


async def _drop(database: Database, prefix: str) -> None:
    for name in await database.list_collection_names():
        if name.startswith(prefix):
            await database.drop_collection(name)


# ---- writes -------------------------------------------------------------------------------------

_ERASED = {"$eq": ["$patron.status", "erased"]}


async def _not_too_late(views: Collections, changes: Sequence[Change]) -> Sequence[Change]:
    if all(change.recorded_at is None for change in changes):
        return changes
    whole = await views["account_views"].find_one({"_id": WHOLE}) or {}
    since, begun = whole.get("forgotten"), whole.get("begun")
    in_time = [
        c for c in changes if since is None or c.recorded_at is None or c.recorded_at >= since
    ]
    if begun is None:
        return in_time
    return [
        replace(c, creates=False)
        if not isinstance(c, Erasure) and c.recorded_at and c.recorded_at < begun - LATE
        else c
        for c in in_time
    ]


def _lent_title(change: Change) -> str | None:
    return change.content.get("title_id") if isinstance(change, ViewChange) else None


async def _titles(views: Collections, ids: set[str]) -> dict[str, Document]:
    if not ids:
        return {}
    found = await views["titles"].find({"_id": {"$in": list(ids)}}).to_list(len(ids))
    return {row["_id"]: row for row in found}


def _row_write(row: Row) -> UpdateOne:
    newer = _newer("$version", row.content["version"], creates=row.creates)
    replacement = _as_told({"_id": row.id, **row.content}, ends=row.ends)
    pipeline = [{"$replaceWith": {"$cond": [newer, replacement, "$$ROOT"]}}]
    return UpdateOne({"_id": row.id}, pipeline, upsert=row.creates)


def _newer(stored: str, version: int, *, creates: bool) -> Document:
    """Return an expression: true if a version is newer than the stored one, or none is stored.

    Without `creates`, an expression that is false if none is stored.
    """
    newer: Document = {"$lt": [{"$ifNull": [stored, 0]}, version]}
    return newer if creates else {"$and": [{"$gt": [stored, 0]}, newer]}


def _view_write(change: ViewChange, title: Document | None) -> UpdateOne:
    stored, heard = f"${change.path}", f"heard.{change.source}"
    content = dict(change.content)
    if "title_id" in content:
        content["title"] = title["title"] if title else None
        content["title_version"] = title["version"] if title else 0
    version = _newer(f"{stored}.version", content["version"], creates=change.creates)
    newer = {"$and": [{"$not": [_ERASED]}, version]}
    kept: Document = {
        change.path: {"$cond": [newer, _as_told(content, ends=change.ends), stored]},
        heard: {"$max": [f"${heard}", change.at]},
        "stamp": _stamp_if({"$or": [newer, {"$lt": [f"${heard}", change.at]}]}),
    }
    if change.ends:
        kept["oldest_end"] = {"$cond": [newer, _OLDEST_END, "$oldest_end"]}
    pipeline: list[Document] = [{"$set": kept}]
    if change.path.startswith(tuple(f"{kind}." for kind in _WITH_TITLES)):
        pipeline.append({"$set": {"title_ids": _shown_titles()}})
    left = {"_id": "$_id", "patron": "$patron", "oldest_end": "$oldest_end"}
    pipeline.append({"$replaceWith": {"$cond": [_ERASED, left, "$$ROOT"]}})
    return UpdateOne({"_id": change.patron_id}, pipeline, upsert=change.creates)


_OLDEST_END = {"$min": ["$oldest_end", "$$NOW"]}


def _as_told(content: Document, *, ends: bool) -> Document:
    """Return an expression of the content; for an ended item with the time of this write."""
    told = {"$literal": content}
    return {"$mergeObjects": [told, {"ended": "$$NOW"}]} if ends else told


def _stamp_if(changed: Document) -> Document:
    """Return an expression of a new stamp if `changed`, so that other writes change nothing."""
    return {"$cond": [changed, ObjectId(), "$stamp"]}


def _erasure_write(change: Erasure) -> UpdateOne:
    tombstone = {"$literal": {"version": change.version, "status": "erased"}}
    left = {"_id": "$_id", "patron": tombstone, "oldest_end": _OLDEST_END}
    pipeline = [{"$replaceWith": left}]
    return UpdateOne({"_id": change.patron_id}, pipeline, upsert=True)


def _shown_titles() -> Document:
    """Return an expression of the titles of open loans, holds and charges.

    Ended ones have no `title_id` any more.
    """
    titles = [
        {
            "$map": {
                "input": {"$objectToArray": {"$ifNull": [f"${kind}", {}]}},
                "in": "$$this.v.title_id",
            }
        }
        for kind in _WITH_TITLES
    ]
    return {"$setDifference": [{"$setUnion": titles}, [None]]}


_WITH_TITLES = ("loans", "holds", "charges")


async def _show_titles(views: Collections, titles: Sequence[Document]) -> None:
    """Write these titles into views that show an older version or none yet."""
    updates = []
    for title in titles:
        waits = {
            "$and": [
                {"$eq": ["$$this.v.title_id", title["_id"]]},
                {"$lt": ["$$this.v.title_version", title["version"]]},
            ]
        }
        shown = {"$literal": {"title": title["title"], "title_version": title["version"]}}
        corrected = {"k": "$$this.k", "v": {"$mergeObjects": ["$$this.v", shown]}}
        put: Document = {}
        changed = []
        for kind in _WITH_TITLES:
            elements = {"$objectToArray": {"$ifNull": [f"${kind}", {}]}}
            changed.append({"$anyElementTrue": [{"$map": {"input": elements, "in": waits}}]})
            all_ = {
                "$map": {
                    "input": {"$objectToArray": f"${kind}"},
                    "in": {"$cond": [waits, corrected, "$$this"]},
                }
            }
            there = {"$eq": [{"$type": f"${kind}"}, "object"]}
            put[kind] = {"$cond": [there, {"$arrayToObject": all_}, "$$REMOVE"]}
        pipeline = [{"$set": {**put, "stamp": _stamp_if({"$or": changed})}}]
        updates.append(UpdateMany({"title_ids": title["_id"]}, pipeline))
    if updates:
        await views["account_views"].bulk_write(updates, ordered=False)


# ---- buckets of requests ------------------------------------------------------------------------


async def lend(db: Database, whose: str, wanted: int, per_minute: int) -> int:
    """Draw up to `wanted` requests from a caller's bucket; return how many there were.

    A bucket holds `per_minute` requests and fills at that pace, by the database's clock. A draw
    need not outlive a failover, so it does not wait for a majority.
    """
    passed = {"$subtract": ["$$NOW", {"$ifNull": ["$at", "$$NOW"]}]}
    filled = {"$multiply": [passed, per_minute / 60_000]}
    held = {"$min": [per_minute, {"$add": [{"$ifNull": ["$held", per_minute]}, filled]}]}
    drawn = {"$min": [wanted, {"$floor": "$held"}]}
    buckets = db.get_collection("buckets", write_concern=WriteConcern(w=1))
    bucket = await buckets.find_one_and_update(
        {"_id": whose},
        [
            {"$set": {"held": held, "at": "$$NOW"}},
            {"$set": {"drawn": drawn}},
            {"$set": {"held": {"$subtract": ["$held", "$drawn"]}}},
        ],
        upsert=True,
        return_document=ReturnDocument.AFTER,
    )
    return int(bucket["drawn"])
