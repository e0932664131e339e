"""Holds, and the queue of each title."""

from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from pymongo import ASCENDING, IndexModel

from services.circulation.domain.hold import OPEN_STATES, Hold, HoldState, Queue
from services.circulation.domain.sweep import Place, Stage, Sweep
from services.circulation.store import reading
from shared.mongo import Database, Indexes, Part, from_document, read_part
from shared.unit_of_work import Stale, Work

WAITING = {"state": HoldState.WAITING.value}
READY = {"state": HoldState.READY.value}
OPEN = {"state": {"$in": [state.value for state in OPEN_STATES]}}
ENDED = {"state": {"$in": [state.value for state in HoldState if state not in OPEN_STATES]}}
SERVED = {"state": {"$in": [HoldState.IN_TRANSIT.value, HoldState.READY.value]}}

# Indexes that a query names as its hint.
UNWANTED = "unwanted"
LEFT = "left"
TO_FORGET = "ended"

INDEXES: Indexes = {
    "holds": [
        # One copy is kept for one patron, and a patron waits once for a title, whatever else
        # goes wrong.
        IndexModel([("copy_id", ASCENDING)], unique=True, partialFilterExpression=SERVED),
        IndexModel(
            [("patron_id", ASCENDING), ("title_id", ASCENDING)],
            name="open_of_patron",
            unique=True,
            partialFilterExpression=OPEN,
        ),
        IndexModel([("patron_id", ASCENDING), ("_id", ASCENDING)]),
        # A title's queue, in turn.
        IndexModel([("title_id", ASCENDING), ("state", ASCENDING), ("place", ASCENDING)]),
        # What a branch has on its shelf and who waits to collect there.
        IndexModel([("pickup_branch", ASCENDING), ("state", ASCENDING), ("_id", ASCENDING)]),
        # What the job has to end.
        IndexModel([("expires_on", ASCENDING)], name=UNWANTED, partialFilterExpression=WAITING),
        IndexModel([("shelf_until", ASCENDING)], name=LEFT, partialFilterExpression=READY),
        # What may be forgotten.
        IndexModel([("ended_on", ASCENDING)], name=TO_FORGET, partialFilterExpression=ENDED),
    ],
    "queues": [],
}


async def take_place(work: Work, title_id: str) -> int:
    """The next place in a title's queue, given once.

    Whoever places a hold, or changes what is free of a title or who may have it, writes the
    title's queue first: of two at once one is run again, and sees what the other did.
    """
    await _write_queue(work, title_id, placed=1)
    queue = await work.find(Queue, "queues", {"_id": title_id})
    if queue is None:
        raise LookupError(f"the queue of {title_id} was written a moment ago")
    return queue.placed


async def take_turn(work: Work, title_ids: Collection[str]) -> None:
    """Be the only one who changes what is free of these titles, or who waits for them."""
    for title_id in sorted(title_ids):
        await _write_queue(work, title_id, placed=0)


async def _write_queue(work: Work, title_id: str, *, placed: int) -> None:
    change = {"$inc": {"version": 1, "placed": placed}}
    await work.update("queues", {"_id": title_id}, change, upsert=True)


async def add(work: Work, hold: Hold) -> None:
    """A new hold."""
    await work.add("holds", hold)


async def save(work: Work, steps: Iterable[Hold]) -> None:
    """Holds after each of one or more changes, in their order."""
    await work.save("holds", *steps)


async def get(work: Work, hold_id: str) -> Hold | None:
    """One hold."""
    return await work.find(Hold, "holds", {"_id": hold_id})


async def some(work: Work, hold_ids: Collection[str]) -> dict[str, Hold]:
    """Some holds, by id."""
    found = await work.all(Hold, "holds", {"_id": {"$in": sorted(hold_ids)}})
    return {hold.id: hold for hold in found}


async def waiting(work: Work, title_ids: Collection[str]) -> list[Hold]:
    """The holds that wait for these titles, those of one title in turn."""
    query = {"title_id": {"$in": sorted(title_ids)}, **WAITING}
    return await work.all(Hold, "holds", query, sort=[("title_id", 1), ("place", 1)])


async def open_of_patron(
    work: Work, patron_id: str, title_ids: Collection[str] | None = None
) -> list[Hold]:
    """A patron's open holds, of some titles or of all, in the order of placing."""
    query: dict[str, Any] = {"patron_id": patron_id, **OPEN}
    if title_ids is not None:
        query["title_id"] = {"$in": sorted(title_ids)}
    return await work.all(Hold, "holds", query, sort=[("_id", 1)])


async def position(work: Work, hold: Hold) -> int | None:
    """How many wait for the title up to and with this hold; None if it does not wait."""
    if hold.state is not HoldState.WAITING:
        return None
    return await work.count(
        "holds", {"title_id": hold.title_id, "place": {"$lte": hold.place}, **WAITING}
    )


@dataclass(frozen=True, slots=True)
class _Held:
    id: str


async def next_to_follow(
    work: Work, sweep: Sweep, stage: Stage, *, limit: int
) -> tuple[Place, ...]:
    """The holds after the place of a sweep that are of one of its stages, at most `limit`."""
    query = _of_stage(sweep, stage)
    if sweep.place and sweep.place.stage is stage:
        query["_id"] = {"$gt": sweep.place.id}
    found = await work.all(_Held, "holds", query, sort=[("_id", ASCENDING)], limit=limit)
    return tuple(Place(stage, one.id) for one in found)


async def count_to_follow(work: Work, sweep: Sweep, stage: Stage) -> int:
    """How many holds a stage of a sweep passes over."""
    return await work.count("holds", _of_stage(sweep, stage))


def _of_stage(sweep: Sweep, stage: Stage) -> dict[str, Any]:
    return {"pickup_branch": sweep.id, **(WAITING if stage is Stage.QUEUES else READY)}


async def titles_of(db: Database, hold_ids: Collection[str]) -> set[str]:
    """The titles of some holds."""
    query = {"_id": {"$in": sorted(hold_ids)}}
    return {found["title_id"] async for found in db.holds.find(query, {"title_id": 1})}


async def forget(work: Work, hold: Hold) -> None:
    """Delete a hold as it was read; raises Stale if it has changed since."""
    if not await work.delete("holds", {"_id": hold.id, "version": hold.version}):
        raise Stale(f"hold {hold.id} is no longer at its version")


async def ended(db: Database, before: date) -> AsyncIterator[str]:
    """Ids of the holds that ended before a day."""
    query = {"ended_on": {"$lt": before.isoformat()}, **ENDED}
    async for found in db.holds.find(query, {"_id": 1}, hint=TO_FORGET).batch_size(200):
        yield found["_id"]


async def find(db: Database, hold_id: str) -> Hold | None:
    """One hold."""
    found = await reading.every(db, Hold, "holds", {"_id": hold_id})
    return found[0] if found else None


async def find_open_of(db: Database, patron_id: str) -> list[Hold]:
    """A patron's open holds, in the order of placing. The policy keeps them few."""
    found = await reading.every(db, Hold, "holds", {"patron_id": patron_id, **OPEN})
    return sorted(found, key=lambda hold: hold.id)


async def find_open(db: Database, part: Part) -> tuple[list[Hold], str | None]:
    """The open ones of a part of the holds and where to go on."""
    return await read_part(db.holds, Hold, part, OPEN)


async def find_queue(db: Database, title_id: str, limit: int, after: int) -> list[Hold]:
    """One more than `limit` of a title's open holds, in turn, after a place."""
    query = {"title_id": title_id, "place": {"$gt": after}, **OPEN}
    cursor = db.holds.find(query).sort("place").limit(limit + 1)
    return [from_document(Hold, document) async for document in cursor]


async def find_shelf(db: Database, branch: str, limit: int, after: str | None) -> list[Hold]:
    """One more than `limit` of the holds that can be collected at a branch."""
    query = {"pickup_branch": branch, **READY}
    return await reading.page(db, Hold, "holds", query, limit=limit, after=after)


async def positions(db: Database, holds: Sequence[Hold]) -> dict[str, int]:
    """By hold, of those that wait, how many wait for its title up to and with it."""
    return {
        hold.id: await db.holds.count_documents(
            {"title_id": hold.title_id, "place": {"$lte": hold.place}, **WAITING}
        )
        for hold in holds
        if hold.state is HoldState.WAITING
    }


async def unwanted(db: Database, day: date) -> AsyncIterator[str]:
    """Ids of the holds that wait past the last day that their patron chose."""
    query = {"expires_on": {"$lt": day.isoformat()}, **WAITING}
    async for found in db.holds.find(query, {"_id": 1}, hint=UNWANTED).batch_size(200):
        yield found["_id"]


async def left(db: Database, day: date) -> AsyncIterator[str]:
    """Ids of the ready holds whose last day on the shelf, as last told, has passed."""
    query = {"shelf_until": {"$lt": day.isoformat()}, **READY}
    async for found in db.holds.find(query, {"_id": 1}, hint=LEFT).batch_size(200):
        yield found["_id"]


async def on_shelf(db: Database, branch: str) -> AsyncIterator[Hold]:
    """The ready holds of a branch."""
    query = {"pickup_branch": branch, **READY}
    async for found in db.holds.find(query).batch_size(200):
        yield from_document(Hold, found)


async def waited_for(db: Database, *, patron_id: str | None = None) -> AsyncIterator[str]:
    """Titles with a hold that waits, each once: of a patron, or any."""
    query: dict[str, Any] = {**WAITING}
    if patron_id is not None:
        query["patron_id"] = patron_id
    pipeline = [{"$match": query}, {"$group": {"_id": "$title_id"}}]
    async for found in db.holds.aggregate(pipeline):
        yield found["_id"]
