"""Holds, and the queue of each title or work."""

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from functools import partial
from typing import Any

from pymongo import ASCENDING, IndexModel

from services.circulation.rules.branch_calendar import BranchCalendar
from services.circulation.rules.copy import Copy, CopyState
from services.circulation.rules.hold import (
    OPEN_STATES,
    SERVED_STATES,
    Hold,
    HoldState,
    Target,
)
from services.circulation.rules.hold_queue import Queue, Waiting
from services.circulation.rules.loan import Loan, LoanState
from services.circulation.rules.patron import Borrower, Patron
from services.circulation.rules.suspension import FineSuspension
from services.circulation.rules.title import WORK_PREFIX
from services.circulation.rules.ways_out import OpenLoans
from shared import reading
from shared.declared_indexes import Indexes, replacing, sharded_by
from shared.mongo import Database, Document, from_document, strings
from shared.personal_data import Personal
from shared.reads import Read, Reads
from shared.repository import Repository
from shared.unit_of_work import Work

WAITING = {"state": HoldState.WAITING.value}
READY = {"state": HoldState.READY.value}
OPEN = {"state": {"$in": [state.value for state in OPEN_STATES]}}
ENDED = {"state": {"$in": [state.value for state in HoldState if state not in OPEN_STATES]}}
SERVED = {"state": {"$in": [state.value for state in SERVED_STATES]}}
_TARGET = {"title_id": 1, "work_id": 1, "any_edition": 1}
OF_WORK = {"work_id": {"$type": "string"}}

# Names of indexes that queries give as a hint.
UNWANTED = "unwanted"
UNCOLLECTED = "left"
TO_PURGE = "ended"

INDEXES: Indexes = {
    "holds": replacing(
        ("open_of_patron", "one_hold_of_title"),
        [
            # Guarantee that a copy is kept for one hold, and that a patron has one open hold on a
            # title or on each of its volumes. An index can't change, so those of earlier releases
            # had other names. The one on copies, `copy_id_1`, may stay: it refuses less.
            IndexModel(
                [("copy_id", ASCENDING)],
                name="one_hold_of_copy",
                unique=True,
                partialFilterExpression=SERVED,
            ),
            IndexModel(
                [("patron_id", ASCENDING), ("title_id", ASCENDING), ("volume", ASCENDING)],
                name="one_hold_of_volume",
                unique=True,
                partialFilterExpression=OPEN,
            ),
            IndexModel([("patron_id", ASCENDING), ("_id", ASCENDING)]),
            # The queue of a title, and that of a work, in order.
            IndexModel([("title_id", ASCENDING), ("state", ASCENDING), ("place", ASCENDING)]),
            IndexModel(
                [("work_id", ASCENDING), ("state", ASCENDING), ("place", ASCENDING)],
                name="of_work",
                partialFilterExpression=OF_WORK,
            ),
            # A branch's hold shelf, and the holds to be collected there.
            IndexModel([("pickup_branch", ASCENDING), ("state", ASCENDING), ("_id", ASCENDING)]),
            # The holds that the job ends.
            IndexModel([("expires_on", ASCENDING)], name=UNWANTED, partialFilterExpression=WAITING),
            IndexModel(
                [("shelf_until", ASCENDING)], name=UNCOLLECTED, partialFilterExpression=READY
            ),
            # The holds that may be deleted.
            IndexModel([("ended_on", ASCENDING)], name=TO_PURGE, partialFilterExpression=ENDED),
        ],
    ),
    "queues": sharded_by("_id", []),
}
PERSONAL = (Personal("holds"),)

_HOLDS = Repository(Hold, "holds")
add = _HOLDS.add
get = _HOLDS.get
some = _HOLDS.some
find = _HOLDS.find
find_some = _HOLDS.find_some
purge = _HOLDS.remove
"""Delete a hold as it was read. Raises Stale if it has changed since."""
find_open = partial(_HOLDS.find_page, where=OPEN)


def take_place(work: Work, queue_id: str, count: int = 1) -> int:
    """Take the next places in a queue, each once; return the first of them.

    Every transaction that places a hold, frees a copy of a title or changes who may have one writes
    its queue first. Of two concurrent transactions one is therefore retried, and reads the other's
    changes.
    """
    work.update_each("queues", [queue_id], {"$inc": {"version": 1, "placed": count}})
    queue = work.find(Queue, "queues", {"_id": queue_id})
    if queue is None:
        raise LookupError(f"the queue {queue_id} was written a moment ago")
    return queue.placed - count + 1


def take_turn(work: Work, queue_ids: Collection[str]) -> None:
    """Serialize changes to the free copies and the holds of these queues, in one round trip.

    Returns for which nobody waits may share a turn: each frees its own copy, and reads no queue.
    """
    work.touch("queues", queue_ids, {"$inc": {"version": 1, "placed": 0}})


def of_queue(queue_ids: Collection[str]) -> dict[str, Any]:
    """Build the query for the holds of some queues, of titles or of works."""
    works = sorted(one for one in queue_ids if one.startswith(WORK_PREFIX))
    titles = sorted({*queue_ids} - {*works})
    if not works:
        return {"title_id": {"$in": titles}}
    of_works = {"work_id": strings(*works)}
    return {"$or": [{"title_id": {"$in": titles}}, of_works]} if titles else of_works


def competing(target: Target) -> dict[str, Any]:
    """Build the query for the holds that may get a copy that a hold with this target may get.

    Holds on another volume, on another single copy, or on another edition alone do not count.
    """
    query = {**of_title(target), "volume": target.volume}
    return {**query, "barcode": {"$in": [None, target.barcode]}} if target.barcode else query


def of_title(target: Target) -> dict[str, Any]:
    """Build the query for the holds on a title, its volumes and its copies, and on any edition."""
    if target.work_id and not target.any_edition:
        own = [{"title_id": target.title_id}, {"any_edition": True}]
        return {"work_id": strings(target.work_id), "$or": own}
    return of_queue([target.queue_id])


def placed_since(work: Work, patron_id: str, since: datetime) -> int:
    """Return the number of holds that a patron placed after an instant and that are still kept."""
    return work.count("holds", {"patron_id": patron_id, "placed_at": {"$gt": since}})


def open_on_title(work: Work, patron_id: str, target: Target) -> int:
    """Return the number of a patron's open holds on a title, its volumes and its copies."""
    return work.count("holds", {"patron_id": patron_id, "title_id": target.title_id, **OPEN})


def save(work: Work, steps: Iterable[Hold]) -> None:
    """Save holds after each of one or more changes, in order."""
    work.save("holds", *steps)


def open_of_patron(work: Work, patron_id: str) -> list[Hold]:
    """Return a patron's open holds, in the order of placing."""
    return work.all(Hold, "holds", {"patron_id": patron_id, **OPEN}, sort=[("_id", 1)])


def open_on(work: Work, title_id: str) -> list[Hold]:
    """Return the open holds that name a title, in their order."""
    return work.all(Hold, "holds", {"title_id": title_id, **OPEN}, sort=[("place", 1)])


def open_in(work: Work, work_id: str) -> int:
    """Count the open holds in the queue of a work."""
    return work.count("holds", {**of_queue([work_id]), **OPEN})


def is_held(work: Work, patron_id: str, target: Target) -> bool:
    """Return whether a patron has an open hold on the title or volume, or on any edition of it."""
    query = {"patron_id": patron_id, **competing(replace(target, barcode=None)), **OPEN}
    return bool(work.count("holds", query))


def on_loan(work: Work, patron_id: str, target: Target) -> frozenset[str]:
    """Return the barcodes of the copies that a patron has on loan and that suit a target."""
    query: dict[str, Any] = {"patron_id": patron_id, "state": LoanState.OPEN.value}
    if not target.any_edition:
        query["title_id"] = target.title_id
    barcodes = work.distinct("loans", "barcode", query)
    if not barcodes:
        return frozenset()
    copies = work.all(Copy, "copies", {"barcode": {"$in": sorted(barcodes)}})
    return frozenset(copy.barcode for copy in copies if target.suits(copy))


def open_loans(work: Work, patron_id: str) -> OpenLoans:
    """Return a patron's open loans with what decides their fines, in one round trip."""
    return open_loans_and_copies(work, patron_id, (), "")[0]


def open_loans_and_copies(
    work: Work, patron_id: str, title_ids: Collection[str], branch_code: str
) -> tuple[OpenLoans, list[Copy]]:
    """Return also copies of some titles that anybody may borrow at a branch, at most 50."""
    free = {"hold_id": None, "at_branch": branch_code, "state": CopyState.AVAILABLE.value}
    free_of_titles = {**free, "title_id": {"$in": sorted(title_ids)}}
    found = work.read(
        Reads(
            "patrons",
            {"_id": patron_id},
            loans=Read("loans", {"state": LoanState.OPEN.value}, by=("_id", "patron_id")),
            calendars=Read("calendars", by=("loans.branch_code", "_id")),
            suspensions=Read("suspensions"),
            copies=Read("copies", free_of_titles, sort={"barcode": ASCENDING}, limit=50),
        )
    )
    if found is None:
        return OpenLoans((), {}, ()), []
    own = OpenLoans(
        reading.values(Loan, found["loans"]),
        reading.by_id(BranchCalendar, found["calendars"]),
        reading.values(FineSuspension, found["suspensions"]),
    )
    return own, reading.values(Copy, found["copies"])


def position(work: Work, hold: Hold) -> int | None:
    """Return a hold's position among those that wait for the same copies; None: it does not wait.

    1 is the next in line.
    """
    if hold.state is not HoldState.WAITING:
        return None
    before = {"place": {"$lte": hold.place}}
    return work.count("holds", {**competing(hold.target), **before, **WAITING})


async def ended(db: Database, before: date) -> AsyncIterator[str]:
    """Yield the ids of the holds that ended before a day."""
    query = {"ended_on": {"$lt": before.isoformat()}, **ENDED}
    async for found in db.holds.find(query, {"_id": 1}, hint=TO_PURGE).batch_size(200):
        yield found["_id"]


async def find_loans_of_copies(db: Database, copy_ids: Collection[str]) -> list[Loan]:
    """Return the open loans of some copies."""
    query = {"copy_id": {"$in": sorted(copy_ids)}, "state": LoanState.OPEN.value}
    return await reading.every(db, Loan, "loans", query)


async def find_open_of(db: Database, patron_id: str) -> list[Hold]:
    """Return a patron's open holds, in the order of placing. The policy limits their number."""
    found = await reading.every(db, Hold, "holds", {"patron_id": patron_id, **OPEN})
    return sorted(found, key=lambda hold: hold.id)


async def find_queue(
    db: Database, title_id: str, work_id: str | None, limit: int, after: int
) -> list[Hold]:
    """Return up to `limit` + 1 open holds that are for a title, after a place, in queue order.

    They include holds on any edition of its work.
    """
    query = {**of_title(Target(title_id, work_id=work_id)), "place": {"$gt": after}, **OPEN}
    cursor = db.holds.find(query).sort("place").limit(limit + 1)
    return [from_document(Hold, document) async for document in cursor]


async def find_shelf(db: Database, branch: str, limit: int, after: str | None) -> list[Hold]:
    """Return up to `limit` + 1 of the holds that are ready to be collected at a branch."""
    query = {"pickup_branch": branch, **READY}
    return await reading.page(db, Hold, "holds", query, limit=limit, after=after)


async def find_awaited(db: Database, branch: str, most: int) -> tuple[list[str], list[str], bool]:
    """Return the barcodes that a branch needs to take items back without a network.

    First those on loan for which a reader waits who collects here, then those that are kept for a
    reader here, at most `most` of each; last, whether these are all.
    """
    waiting = await _some(
        db.holds.find({"pickup_branch": branch, **WAITING}, _TARGET).sort("_id"), most
    )
    kept = await _some(db.holds.find({"pickup_branch": branch, **SERVED}, {"copy_id": 1}), most)
    whole = max(len(waiting), len(kept)) <= most
    titles = {one["title_id"] for one in waiting if not one.get("any_edition")}
    works = {one["work_id"] for one in waiting if one.get("any_edition")}
    lent = {"state": CopyState.ON_LOAN.value}
    on_loan = [
        {"title_id": {"$in": sorted(titles)}, **lent},
        *([{"work_id": strings(*works), **lent}] if works else []),
    ]
    awaited = await _some(db.copies.find({"$or": on_loan}, {"barcode": 1}), most)
    ids = [one["copy_id"] for one in kept]
    on_shelf = await _some(db.copies.find({"_id": {"$in": ids}}, {"barcode": 1}), most)
    return (
        sorted(one["barcode"] for one in awaited[:most]),
        sorted(one["barcode"] for one in on_shelf[:most]),
        whole and len(awaited) <= most,
    )


async def _some(cursor: Any, most: int) -> list[dict[str, Any]]:
    return [one async for one in cursor.limit(most + 1)]


async def positions(db: Database, holds: Sequence[Hold]) -> dict[str, int]:
    """Return the queue positions of the holds that wait, keyed by hold id."""
    return {
        hold.id: await db.holds.count_documents(
            {**competing(hold.target), "place": {"$lte": hold.place}, **WAITING}
        )
        for hold in holds
        if hold.state is HoldState.WAITING
    }


async def to_end(db: Database, day: date) -> AsyncIterator[str]:
    """Yield the ids of the holds that may be over on `day`, by the stored dates.

    They still wait after the last day their patron chose, or are ready after their last shelf day.
    """
    unwanted = {"expires_on": {"$lt": day.isoformat()}, **WAITING}
    uncollected = {"shelf_until": {"$lt": day.isoformat()}, **READY}
    for query, index in ((unwanted, UNWANTED), (uncollected, UNCOLLECTED)):
        async for found in db.holds.find(query, {"_id": 1}, hint=index).batch_size(200):
            yield found["_id"]


async def on_shelf(db: Database, branch: str) -> AsyncIterator[Hold]:
    """Yield the ready holds of a branch."""
    query = {"pickup_branch": branch, **READY}
    async for found in db.holds.find(query).batch_size(200):
        yield from_document(Hold, found)


async def waited_for(db: Database, *, patron_id: str | None = None) -> AsyncIterator[str]:
    """Yield the ids of the queues with a waiting hold, of one patron or of any, each once."""
    query: dict[str, Any] = {**WAITING}
    if patron_id is not None:
        query["patron_id"] = patron_id
    queue_id = {"$ifNull": ["$work_id", "$title_id"]}
    pipeline = [{"$match": query}, {"$group": {"_id": queue_id}}]
    async for found in db.holds.aggregate(pipeline):
        yield found["_id"]


async def count_waiting(db: Database, title_ids: Collection[str]) -> dict[str, int]:
    """Return the number of holds that wait in the queues of some titles; 0 is left out."""
    if not title_ids:
        return {}
    counted = [
        {"$match": {**of_queue(title_ids), **WAITING}},
        {"$group": {"_id": "$title_id", "waiting": {"$sum": 1}}},
    ]
    return {one["_id"]: one["waiting"] async for one in db.holds.aggregate(counted)}


def of_queues(work: Work, queue_ids: Collection[str]) -> Mapping[str, Sequence[Waiting]]:
    """Return the waiting holds of some queues in turn, by queue, with what decides about them.

    The queues have been written already. Those in which nobody waits are left out.
    """
    if not queue_ids:
        return {}
    found = work.read(Reads("queues", {"_id": {"$in": [*queue_ids]}}, **queue_reads(queue_ids)))
    if found is None:
        raise LookupError("the queues have not been written")
    # A title that has just become an edition of a work has holds in the queue of the work.
    return {one: queue for one, queue in read_queues(found).items() if one in queue_ids}


def queue_reads(queue_ids: Collection[str]) -> dict[str, Read]:
    """Return the reads of the waiting holds of some queues, and of the facts that decide them."""
    return {
        "waiting": Read("holds", {**of_queue(queue_ids), **WAITING}, sort={"place": 1}),
        "waiting_patrons": Read("patrons", by=("waiting.patron_id", "_id")),
        "waiting_borrowers": Read("borrowers", by=("waiting.patron_id", "_id")),
        "waiting_calendars": Read("calendars", by=("waiting.pickup_branch", "_id")),
    }


def read_queues(found: Document) -> dict[str, list[Waiting]]:
    """Take the queues out of the document that `_queue_reads` filled; return them by queue."""
    patrons = reading.by_id(Patron, found.pop("waiting_patrons"))
    borrowers = reading.by_id(Borrower, found.pop("waiting_borrowers"))
    calendars = reading.by_id(BranchCalendar, found.pop("waiting_calendars"))
    queues: dict[str, list[Waiting]] = {}
    for hold in reading.values(Hold, found.pop("waiting")):
        borrower, calendar = borrowers.get(hold.patron_id), calendars.get(hold.pickup_branch)
        queues.setdefault(hold.target.queue_id, []).append(
            Waiting(
                hold,
                patrons.get(hold.patron_id),
                borrower.outstanding_cents if borrower else 0,
                calendar.now if calendar else None,
            )
        )
    return queues
