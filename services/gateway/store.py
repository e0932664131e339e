"""The account views and what they are shown with. The only file that names collections.

Every write is "apply if newer", as one update with a pipeline: it reads the stored version and
decides in the same atomic step, so any number of writers, in any order and any number of times,
come to the same document. A guard in the filter could do that too, but it can't also raise
`heard` when the resource itself is not newer, and a refused upsert is a duplicate key that can't
be told from two writers that create the document at once. (With `_id` alone in the filter the
server itself tries an upsert again that lost such a race.)
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from bson import ObjectId
from pymongo import ASCENDING, DESCENDING, IndexModel, ReturnDocument, UpdateMany, UpdateOne
from pymongo.write_concern import WriteConcern

from shared.clock import wall_clock
from shared.mongo import Collection, Database, Document, Indexes, ensure_indexes

VIEWS: Indexes = {
    "account_views": [
        # Finds the views whose loans show a title, when the title comes late or is corrected.
        IndexModel([("title_ids", ASCENDING)], sparse=True),
        # Finds what ended long ago.
        IndexModel([("oldest_end", ASCENDING)], sparse=True),
    ],
    "queues": [
        # Counts who waits before a hold or a registration: no row says whose it is.
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
    # A bucket that nobody has drawn from for a minute is full again, as one that is not there.
    "buckets": [IndexModel([("at", ASCENDING)], expireAfterSeconds=90)],
}
INDEXES: Indexes = {**VIEWS, **BUCKETS}


@dataclass(frozen=True)
class ViewChange:
    """A part of one patron's view as an event told it."""

    patron_id: str
    path: str
    """`patron`, `preferences`, or `<kind>.<id>` of loans, holds, charges, notifications,
    registrations."""
    content: Mapping[str, Any]
    """With its `version`. What has ended keeps its version and loses the rest."""
    source: str
    """The service that published the event."""
    at: datetime
    """Business time of the event."""
    ends: bool = False
    """Whether it is over, so that it is forgotten in time."""
    recorded_at: datetime | None = None
    """When its event was recorded; None: its owner tells it now."""


@dataclass(frozen=True)
class Erasure:
    """A patron is erased: the view is emptied for good."""

    patron_id: str
    version: int
    recorded_at: datetime | None = None
    """As of a ViewChange."""


@dataclass(frozen=True)
class Row:
    """A title, branch, activity, notice, fine suspension or place in a queue: for every patron."""

    kind: Literal["title", "branch", "activity", "notice", "suspension", "place"]
    id: str
    content: Mapping[str, Any]
    """With its `version`."""
    ends: bool = False
    recorded_at: datetime | None = None
    """As of a ViewChange."""


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
"""Kinds of rows that many accounts are shown by, and that change seldom."""

WHOLE = "#whole"
"""The document among the views which says since when they show all that the owners have.

It stands in their collection, so that it goes where they go: views that were lost, and begin to
fill again with what happens now, are not taken for accounts. Its stamp is that of what all accounts
are shown by, its form that in which they are kept.
"""
FORM = 2
"""Raised when views have to be built anew to show all that they can: those of before serve until
they are."""


class Collections(Protocol):
    """The views that are served (a database is that), or those that are being built."""

    def __getitem__(self, name: str, /) -> Collection: ...


@dataclass(frozen=True)
class Building:
    """Views that are being built: the same collections under other names."""

    database: Database
    build: str

    def __getitem__(self, name: str, /) -> Collection:
        """The collection that is to be `name`."""
        return self.database[f"{self.prefix}{name}"]

    @property
    def prefix(self) -> str:
        """What the names of its collections begin with."""
        return f"{_BUILDS}{self.build}_"


class NotWhole(Exception):
    """The views do not show all that the owners have: they have to be built first."""


@dataclass(frozen=True)
class Stamps:
    """What stands for all that an account is shown by: no other state of it has the same."""

    view: object
    """Of the patron's view; None where there is none."""
    common: object
    """Of branches, fine suspensions and activities; None before the first of them changed."""


@dataclass(frozen=True)
class Branch:
    """A library, as far as accounts are shown by it."""

    calendar_version: int
    relief: Sequence[Mapping[str, Any]]
    """Closures that grant more renewals while they last: `from`, `reopened_on`, `extra_renewals`,
    dates as ISO text, `reopened_on` None while no end is announced."""


@dataclass(frozen=True)
class Common:
    """What all accounts are shown by."""

    branches: Mapping[str, Branch]
    """By code."""
    suspensions_version: int
    """The sum of the versions of all fine suspensions: it grows with each change of any."""


class BuildLost(Exception):
    """Another process has dropped what was being built here, or the whole database is gone."""


async def apply(views: Collections, changes: Sequence[Change]) -> None:
    """Keep each change unless the same or a newer version is stored. Safe to repeat.

    A loan is stored with its title. The title may come at the same moment, so titles are read
    again after the loan is written, as a title's writer looks for loans after it wrote the title:
    whichever came second sees the other.
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
        # After the rows, and also where they are no news: who told them may have been killed here.
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
    """A patron's view, None if nothing was heard of them yet; and its stamps. Raises NotWhole."""
    found = await database.account_views.find({"_id": {"$in": [WHOLE, patron_id]}}).to_list(2)
    by_id = {document["_id"]: document for document in found}
    return by_id.get(patron_id), _stamps_in(by_id, patron_id)


async def stamps(database: Database, patron_ids: Sequence[str]) -> dict[str, Stamps]:
    """The stamps of some patrons' views as they are now. Raises NotWhole."""
    # As a bare command it takes the driver a fifth less of the processor than `find`.
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
    """What all accounts are shown by. Some hundred small documents."""
    branches = {
        row["_id"]: Branch(row["version"], row.get("relief", ()))
        async for row in database.branches.find({}, {"version": 1, "relief": 1})
    }
    suspensions = database.suspensions.find({}, {"version": 1})
    return Common(branches, sum([row["version"] async for row in suspensions]))


async def written(database: Database) -> AsyncGenerator[str, None]:
    """The id of each patron whose view is written, from now on; first "", once it is watched.

    Where what all accounts are shown by is written, WHOLE. Ends when the views are dropped or
    replaced.
    """
    pipeline: list[Document] = [{"$project": {"documentKey": 1}}]
    async with database.account_views.watch(pipeline, max_await_time_ms=2000) as changes:
        yield ""
        async for change in changes:
            if "documentKey" in change:
                yield change["documentKey"]["_id"]


async def positions(database: Database, waiting: Mapping[str, Document]) -> dict[str, int]:
    """How many wait in its queue up to and with each of these, by its id.

    Each has its `queue`, a title or an activity, and its `place` in that. Counted when asked, for
    it changes with those of others, of which this patron hears nothing.
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
    """Remember what circulation said at `at` (business time) of the fines that accrue."""
    await database.account_views.update_one(
        {
            "_id": patron_id,
            "patron.status": {"$ne": "erased"},
            "accruing.at": {"$not": {"$gt": at}},
        },
        {"$set": {"accruing": {"at": at, **said}}},
    )


async def some_activities(database: Database, ids: Sequence[str]) -> dict[str, Document]:
    """Those of these activities that are known, by id."""
    if not ids:
        return {}
    found = database.activities.find({"_id": {"$in": list(ids)}})
    return {row["_id"]: row async for row in found}


async def activities(
    database: Database, types: Sequence[str], since: datetime, limit: int
) -> list[Document]:
    """Activities of these types that are not over at `since`, the earliest first."""
    query = {"type": {"$in": list(types)}, "last_at": {"$gte": since}, "cancelled": {"$ne": True}}
    order = [("starts_at", ASCENDING), ("_id", ASCENDING)]
    return await database.activities.find(query).sort(order).limit(limit).to_list(limit)


async def notices(database: Database, branches: Sequence[str], limit: int) -> list[Document]:
    """Notices of any of these branches and those of the whole library, the newest first."""
    query = {"$or": [{"branches": {"$in": list(branches)}}, {"branches": []}]}
    order = [("date", DESCENDING), ("_id", DESCENDING)]
    return await database.notices.find(query).sort(order).limit(limit).to_list(limit)


async def branch_names(database: Database, branches: Sequence[str]) -> dict[str, str]:
    """Names by branch code, of those that are known."""
    found = database.branches.find({"_id": {"$in": list(branches)}}, {"name": 1})
    return {row["_id"]: row["name"] async for row in found}


# ---- forgetting what has ended ------------------------------------------------------------------

# What has ended is kept for a while, so that an older event that comes late does not bring it back.
# One that comes later still is passed over.
_WITH_ENDS = ("loans", "holds", "charges", "notifications", "registrations")


async def forget(database: Database, before: datetime, limit: int) -> int:
    """Forget what ended `before` that time, of so many views and places at most; of how many.

    What is shown stays as it is, and so do the stamps.
    """
    long_ago = {"oldest_end": {"$lt": before}}
    due = database.account_views.find(long_ago, {"_id": 1}).sort("oldest_end", ASCENDING)
    views = [view["_id"] async for view in due.limit(limit)]
    over = database.queues.find({"ended": {"$lt": before}}, {"_id": 1}).limit(limit)
    places = [row["_id"] async for row in over]
    if views or places:
        # First, so that nothing older is taken in once something is forgotten.
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
    """What ended before is not known to have ended: it was forgotten, or never built; None: all is.

    Views that were built show nothing that had ended when that began, by the clock of who built
    them: of an event that was recorded by another clock it says only about, if it came before.
    """
    whole = await views["account_views"].find_one({"_id": WHOLE}) or {}
    return max((at for at in (whole.get("forgotten"), whole.get("begun")) if at), default=None)


# ---- building anew ------------------------------------------------------------------------------

_BUILDS = "next_"


async def form(database: Database) -> int | None:
    """In which form the views are kept; None where they are not whole."""
    found = await database.account_views.find_one({"_id": WHOLE})
    return None if found is None else int(found.get("form", 1))


async def begin_build(database: Database, build: str) -> Building:
    """New, empty views beside those that are served. What others had begun is dropped."""
    await _drop(database, _BUILDS)
    building = Building(database, build)
    views = {f"{building.prefix}{name}": models for name, models in VIEWS.items()}
    # With the views the whole database may have been lost.
    await ensure_indexes(database, {**views, **BUCKETS})
    await building["account_views"].insert_one(
        {"_id": WHOLE, "begun": wall_clock(), "since": None, "form": FORM}
    )
    return building


async def finish_build(building: Building) -> None:
    """Put what was built in the place of what was served, the accounts last. Raises BuildLost."""
    finished = await building["account_views"].update_one(
        {"_id": WHOLE}, {"$set": {"since": wall_clock()}}
    )
    if not finished.matched_count:
        raise BuildLost
    for name in sorted(VIEWS, key=lambda name: name == "account_views"):
        await building[name].rename(name, dropTarget=True)


async def drop_build(database: Database, build: str) -> None:
    """Drop what is left of a build."""
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
    since = whole.get("forgotten")
    return [c for c in changes if since is None or c.recorded_at is None or c.recorded_at >= since]


def _lent_title(change: Change) -> str | None:
    return change.content.get("title_id") if isinstance(change, ViewChange) else None


async def _titles(views: Collections, ids: set[str]) -> dict[str, Document]:
    if not ids:
        return {}
    found = await views["titles"].find({"_id": {"$in": list(ids)}}).to_list(len(ids))
    return {row["_id"]: row for row in found}


def _row_write(row: Row) -> UpdateOne:
    newer = {"$lt": [{"$ifNull": ["$version", 0]}, row.content["version"]]}
    replacement = _as_told({"_id": row.id, **row.content}, ends=row.ends)
    pipeline = [{"$replaceWith": {"$cond": [newer, replacement, "$$ROOT"]}}]
    return UpdateOne({"_id": row.id}, pipeline, upsert=True)


def _view_write(change: ViewChange, title: Document | None) -> UpdateOne:
    stored, heard = f"${change.path}", f"heard.{change.source}"
    content = dict(change.content)
    if "title_id" in content:
        content["title"] = title["title"] if title else None
        content["title_version"] = title["version"] if title else 0
    version = {"$lt": [{"$ifNull": [f"{stored}.version", 0]}, content["version"]]}
    newer = {"$and": [{"$not": [_ERASED]}, version]}
    kept: Document = {
        change.path: {"$cond": [newer, _as_told(content, ends=change.ends), stored]},
        heard: {"$max": [f"${heard}", change.at]},
        "stamp": _stamp_if({"$or": [newer, {"$lt": [f"${heard}", change.at]}]}),
    }
    if change.ends:
        kept["oldest_end"] = {"$cond": [newer, _OLDEST_END, "$oldest_end"]}
    pipeline: list[Document] = [{"$set": kept}]
    if change.path.startswith(("loans.", "holds.")):
        pipeline.append({"$set": {"title_ids": _shown_titles()}})
    left = {"_id": "$_id", "patron": "$patron", "oldest_end": "$oldest_end"}
    pipeline.append({"$replaceWith": {"$cond": [_ERASED, left, "$$ROOT"]}})
    return UpdateOne({"_id": change.patron_id}, pipeline, upsert=True)


_OLDEST_END = {"$min": ["$oldest_end", "$$NOW"]}


def _as_told(content: Document, *, ends: bool) -> Document:
    """What was told, and of what is over, since when it is known that it is."""
    told = {"$literal": content}
    return {"$mergeObjects": [told, {"ended": "$$NOW"}]} if ends else told


def _stamp_if(changed: Document) -> Document:
    """A new stamp where the view is changed; what changes nothing is no write at all."""
    return {"$cond": [changed, ObjectId(), "$stamp"]}


def _erasure_write(change: Erasure) -> UpdateOne:
    tombstone = {"$literal": {"version": change.version, "status": "erased"}}
    left = {"_id": "$_id", "patron": tombstone, "oldest_end": _OLDEST_END}
    pipeline = [{"$replaceWith": left}]
    return UpdateOne({"_id": change.patron_id}, pipeline, upsert=True)


def _shown_titles() -> Document:
    """The titles of open loans and holds: one that has ended has no `title_id` any more."""
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


_WITH_TITLES = ("loans", "holds")


async def _show_titles(views: Collections, titles: Sequence[Document]) -> None:
    """Put these titles where an older version of them is shown, or none yet."""
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
    """Draw up to `wanted` requests from a caller's bucket: how many there were.

    It holds `per_minute` and fills at that pace, by the database's clock. What is drawn need not
    outlive a failover, so no majority is waited for.
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
