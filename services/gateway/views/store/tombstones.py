"""Remove ended items from the views once no older event can bring them back."""

from datetime import datetime

from pymongo import ASCENDING

from services.gateway.views.store.schema import WHOLE, Collections
from shared.mongo import Database, Document

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
