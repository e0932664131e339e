"""Build views beside those that are served, and remove items that ended long ago."""

from collections.abc import Mapping
from datetime import datetime

from pymongo import ASCENDING, UpdateOne

from services.gateway.views.store.schema import (
    BUCKETS,
    BUILDS,
    FORM,
    SESSIONS,
    VIEWS,
    WHOLE,
    Building,
    Collections,
)
from shared.clock import wall_clock
from shared.declared_indexes import ensure_indexes
from shared.mongo import Database, Document


class BuildLost(Exception):
    """Another process has dropped this build, or the whole database is gone."""


async def form(database: Database) -> int | None:
    """Return the format of the views; None if they are not complete."""
    found = await database.account_views.find_one({"_id": WHOLE})
    return None if found is None else int(found.get("form", 1))


async def begin_build(database: Database, build: str) -> Building:
    """Create new, empty views next to those that are served; drop unfinished builds."""
    await _drop(database, BUILDS)
    building = Building(database, build)
    views = {f"{building.prefix}{name}": models for name, models in VIEWS.items()}
    # The whole database may have been lost together with the views.
    await ensure_indexes(database, {**views, **BUCKETS, **SESSIONS})
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

    After a restore, earlier events may report changes that the owners no longer have.
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


# An ended item is kept for a while, so that an older event that arrives late does not bring it
# back. Events that arrive later still are skipped.
_WITH_ENDS = (
    *("loans", "holds", "charges", "notifications", "registrations", "admissions", "enquiries"),
    *("seats", "bookings", "family"),
)


async def purge(database: Database, before: datetime, limit: int) -> int:
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
        # First, so that no older event is applied once something is removed. The stored field keeps
        # its former name, `forgotten`.
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
