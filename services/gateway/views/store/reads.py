"""Read account views and the data shown with them."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bson import ObjectId
from pymongo import ASCENDING, DESCENDING

from services.gateway.views.store.schema import ENDED_SESSIONS, WHOLE, SessionEnd
from shared.mongo import Database, Document


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
    """Spans of days on which closures grant extra renewals.

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


def changed_at(stamps: Stamps) -> datetime | None:
    """Return when the newest of the stamped data was written, to the second; None if none was."""
    found = (stamps.view, stamps.common)
    return max((one.generation_time for one in found if isinstance(one, ObjectId)), default=None)


View = tuple[Document | None, Stamps]
"""A patron's view, None before their first event, and its stamps."""


async def account_view(database: Database, patron_id: str) -> View:
    """Return a patron's view. Raises NotWhole."""
    return (await account_views(database, [patron_id]))[patron_id]


async def account_views(database: Database, patron_ids: Sequence[str]) -> dict[str, View]:
    """Return the views of some patrons. Raises NotWhole."""
    wanted = [WHOLE, *patron_ids]
    found = await database.account_views.find({"_id": {"$in": wanted}}).to_list(len(wanted))
    by_id = {document["_id"]: document for document in found}
    return {one: (by_id.get(one), _stamps_in(by_id, one)) for one in patron_ids}


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

    Each has its `queue`, of a title, a volume, a work or an activity, and its `place` in that.
    Those with another `edition` or `copy` than the one that limits a hold do not count. Counted on
    demand, because a place in line changes with other patrons' holds, without an event for this
    patron.
    """
    if not waiting:
        return {}
    limited = {key: one for key, one in waiting.items() if one.keys() & {"edition", "copy"}}
    counted = {key: await _limited_position(database, one) for key, one in limited.items()}
    waiting = {key: one for key, one in waiting.items() if key not in limited}
    if not waiting:
        return counted
    before = [{"queue": w["queue"], "place": {"$lte": w["place"]}} for w in waiting.values()]
    # A bare command, as for stamps: a patron who waits is counted at each look.
    answer = await database.command(
        {
            "aggregate": "queues",
            "pipeline": [
                {"$match": {"waiting": True, "$or": before}},
                {"$group": {"_id": "$queue", "count": {"$sum": 1}}},
            ],
            "cursor": {"batchSize": len(before) + 1},
        }
    )
    by_queue = {row["_id"]: row["count"] for row in answer["cursor"]["firstBatch"]}
    return counted | {key: by_queue.get(each["queue"], 1) for key, each in waiting.items()}


async def _limited_position(database: Database, waits: Mapping[str, Any]) -> int:
    query: Document = {"queue": waits["queue"], "waiting": True, "place": {"$lte": waits["place"]}}
    for name in ("edition", "copy"):
        if name in waits:
            query[name] = {"$in": [None, waits[name]]}
    return max(await database.queues.count_documents(query), 1)


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


async def branch_names(
    database: Database, branches: Sequence[str], language: str = ""
) -> dict[str, str]:
    """Return the names of known branches by code, in a language as far as they have one there."""
    found = database.branches.find({"_id": {"$in": list(branches)}}, {"name": 1, "names": 1})
    return {row["_id"]: row.get("names", {}).get(language, row["name"]) async for row in found}


async def ended_sessions(database: Database) -> AsyncGenerator[Sequence[SessionEnd], None]:
    """Yield all ended sessions that are stored, then each that is added, from now on.

    Ends when their collection is dropped.
    """
    pipeline: list[Document] = [{"$match": {"operationType": {"$in": ["insert", "invalidate"]}}}]
    collection = database[ENDED_SESSIONS]
    async with collection.watch(pipeline, max_await_time_ms=2000) as changes:
        yield [_read(row) async for row in collection.find({})]
        async for change in changes:
            if "fullDocument" in change:
                yield [_read(change["fullDocument"])]


def _read(row: Document) -> SessionEnd:
    return SessionEnd(row["_id"], row["account_id"], row["expires_at"])
