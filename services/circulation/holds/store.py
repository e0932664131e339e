"""Holds and the queue of each title."""

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from pymongo import ASCENDING, IndexModel

from services.circulation.rules.branch_calendar import BranchCalendar
from services.circulation.rules.copy import Copy, CopyState
from services.circulation.rules.hold import OPEN_STATES, SERVED_STATES, Hold, HoldState
from services.circulation.rules.hold_queue import Queue, Waiting
from services.circulation.rules.loan import Loan, LoanState
from services.circulation.rules.patron import Borrower, Patron
from services.circulation.rules.suspension import FineSuspension
from services.circulation.rules.ways_out import OpenLoans
from shared import reading
from shared.mongo import (
    Database,
    Document,
    Indexes,
    SnapshotQuery,
    from_document,
    read_snapshot_page,
    sharded_by,
)
from shared.personal_data import Personal
from shared.unit_of_work import Stale, Work
from shared.work import Read

WAITING = {"state": HoldState.WAITING.value}
READY = {"state": HoldState.READY.value}
OPEN = {"state": {"$in": [state.value for state in OPEN_STATES]}}
ENDED = {"state": {"$in": [state.value for state in HoldState if state not in OPEN_STATES]}}
SERVED = {"state": {"$in": [state.value for state in SERVED_STATES]}}

# Names of indexes that queries give as a hint.
UNWANTED = "unwanted"
UNCOLLECTED = "left"
TO_PURGE = "ended"

INDEXES: Indexes = {
    "holds": [
        # Guarantee that a copy is kept for one hold, and that a patron has one open hold on a
        # title. An index can't change its filter, so these two have names that differ from
        # those of the release before holds had the state `to-fetch`: `copy_id_1` and
        # `open_of_patron`.
        IndexModel(
            [("copy_id", ASCENDING)],
            name="one_hold_of_copy",
            unique=True,
            partialFilterExpression=SERVED,
        ),
        IndexModel(
            [("patron_id", ASCENDING), ("title_id", ASCENDING)],
            name="one_hold_of_title",
            unique=True,
            partialFilterExpression=OPEN,
        ),
        IndexModel([("patron_id", ASCENDING), ("_id", ASCENDING)]),
        # A title's queue, in order.
        IndexModel([("title_id", ASCENDING), ("state", ASCENDING), ("place", ASCENDING)]),
        # A branch's hold shelf, and the holds to be collected there.
        IndexModel([("pickup_branch", ASCENDING), ("state", ASCENDING), ("_id", ASCENDING)]),
        # The holds that the job ends.
        IndexModel([("expires_on", ASCENDING)], name=UNWANTED, partialFilterExpression=WAITING),
        IndexModel([("shelf_until", ASCENDING)], name=UNCOLLECTED, partialFilterExpression=READY),
        # The holds that may be deleted.
        IndexModel([("ended_on", ASCENDING)], name=TO_PURGE, partialFilterExpression=ENDED),
    ],
    "queues": sharded_by("_id", []),
}
PERSONAL = (Personal("holds"),)


def take_place(work: Work, title_id: str) -> int:
    """Return the next place in a title's queue; each place is given once.

    Every transaction that places a hold, frees a copy of a title or changes who may have one writes
    the title's queue first. Of two concurrent transactions one is therefore retried, and reads the
    other's changes.
    """
    work.update_each("queues", [title_id], {"$inc": {"version": 1, "placed": 1}})
    queue = work.find(Queue, "queues", {"_id": title_id})
    if queue is None:
        raise LookupError(f"the queue of {title_id} was written a moment ago")
    return queue.placed


def take_turn(work: Work, title_ids: Collection[str]) -> None:
    """Serialize changes to these titles' free copies and queues, in one round trip."""
    work.update_each("queues", title_ids, {"$inc": {"version": 1, "placed": 0}})


def add(work: Work, hold: Hold) -> None:
    """Insert a new hold."""
    work.add("holds", hold)


def save(work: Work, steps: Iterable[Hold]) -> None:
    """Save holds after each of one or more changes, in order."""
    work.save("holds", *steps)


def get(work: Work, hold_id: str) -> Hold | None:
    """Return a hold by its id, or None."""
    return work.find(Hold, "holds", {"_id": hold_id})


def some(work: Work, hold_ids: Collection[str]) -> dict[str, Hold]:
    """Return holds by id, keyed by id."""
    found = work.all(Hold, "holds", {"_id": {"$in": sorted(hold_ids)}})
    return {hold.id: hold for hold in found}


def open_of_patron(
    work: Work, patron_id: str, title_ids: Collection[str] | None = None
) -> list[Hold]:
    """Return a patron's open holds, on some titles or on all, in the order of placing."""
    query: dict[str, Any] = {"patron_id": patron_id, **OPEN}
    if title_ids is not None:
        query["title_id"] = {"$in": sorted(title_ids)}
    return work.all(Hold, "holds", query, sort=[("_id", 1)])


def is_on_loan(work: Work, patron_id: str, title_id: str) -> bool:
    """Return whether a patron has a copy of a title on loan."""
    query = {"patron_id": patron_id, "title_id": title_id, "state": LoanState.OPEN.value}
    return bool(work.count("loans", query))


def open_loans(work: Work, patron_id: str) -> OpenLoans:
    """Return a patron's open loans with what decides their fines, in one round trip."""
    return open_loans_and_copies(work, patron_id, (), "")[0]


def open_loans_and_copies(
    work: Work, patron_id: str, title_ids: Collection[str], branch_code: str
) -> tuple[OpenLoans, list[Copy]]:
    """Return also copies of some titles that anybody may borrow at a branch, at most 50."""
    free = {
        "title_id": {"$in": sorted(title_ids)},
        "state": CopyState.AVAILABLE.value,
        "hold_id": None,
        "at_branch": branch_code,
    }
    found = work.read(
        "patrons",
        {"_id": patron_id},
        loans=Read("loans", {"state": LoanState.OPEN.value}, by=("_id", "patron_id")),
        calendars=Read("calendars", by=("loans.branch_code", "_id")),
        suspensions=Read("suspensions"),
        copies=Read("copies", free, sort={"barcode": ASCENDING}, limit=50),
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
    """Return a hold's position in the queue, 1 for the next in line; None if it does not wait."""
    if hold.state is not HoldState.WAITING:
        return None
    return work.count(
        "holds", {"title_id": hold.title_id, "place": {"$lte": hold.place}, **WAITING}
    )


def purge(work: Work, hold: Hold) -> None:
    """Delete a hold as it was read. Raises Stale if it has changed since."""
    if not work.delete("holds", {"_id": hold.id, "version": hold.version}):
        raise Stale(f"hold {hold.id} is no longer at its version")


async def ended(db: Database, before: date) -> AsyncIterator[str]:
    """Yield the ids of the holds that ended before a day."""
    query = {"ended_on": {"$lt": before.isoformat()}, **ENDED}
    async for found in db.holds.find(query, {"_id": 1}, hint=TO_PURGE).batch_size(200):
        yield found["_id"]


async def find(db: Database, hold_id: str) -> Hold | None:
    """Return a hold by its id, or None."""
    return await reading.first(db, Hold, "holds", {"_id": hold_id})


async def find_some(db: Database, hold_ids: Collection[str]) -> dict[str, Hold]:
    """Return holds by id, keyed by id."""
    found = await reading.every(db, Hold, "holds", {"_id": {"$in": sorted(hold_ids)}})
    return {hold.id: hold for hold in found}


async def find_open_of(db: Database, patron_id: str) -> list[Hold]:
    """Return a patron's open holds, in the order of placing. The policy limits their number."""
    found = await reading.every(db, Hold, "holds", {"patron_id": patron_id, **OPEN})
    return sorted(found, key=lambda hold: hold.id)


async def find_open(db: Database, query: SnapshotQuery) -> tuple[list[Hold], str | None]:
    """Return a page of the open holds and the id at which the next page begins."""
    return await read_snapshot_page(db.holds, Hold, query, OPEN)


async def find_queue(db: Database, title_id: str, limit: int, after: int) -> list[Hold]:
    """Return up to `limit` + 1 of a title's open holds after a place, in queue order."""
    query = {"title_id": title_id, "place": {"$gt": after}, **OPEN}
    cursor = db.holds.find(query).sort("place").limit(limit + 1)
    return [from_document(Hold, document) async for document in cursor]


async def find_shelf(db: Database, branch: str, limit: int, after: str | None) -> list[Hold]:
    """Return up to `limit` + 1 of the holds that are ready to be collected at a branch."""
    query = {"pickup_branch": branch, **READY}
    return await reading.page(db, Hold, "holds", query, limit=limit, after=after)


async def positions(db: Database, holds: Sequence[Hold]) -> dict[str, int]:
    """Return the queue positions of the holds that wait, keyed by hold id."""
    return {
        hold.id: await db.holds.count_documents(
            {"title_id": hold.title_id, "place": {"$lte": hold.place}, **WAITING}
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
    """Yield the ids of the titles with a waiting hold, of one patron or of any, each once."""
    query: dict[str, Any] = {**WAITING}
    if patron_id is not None:
        query["patron_id"] = patron_id
    pipeline = [{"$match": query}, {"$group": {"_id": "$title_id"}}]
    async for found in db.holds.aggregate(pipeline):
        yield found["_id"]


def of_queues(work: Work, title_ids: Collection[str]) -> Mapping[str, Sequence[Waiting]]:
    """Return the waiting holds of some titles in turn, by title, with what decides about them.

    The queues of the titles have been written already. Titles that nobody waits for are left out.
    """
    if not title_ids:
        return {}
    any_queue = {"_id": {"$in": sorted(title_ids)}}
    found = work.read("queues", any_queue, **queue_reads(title_ids))
    if found is None:
        raise LookupError("the queues of the titles have not been written")
    return read_queues(found)


def queue_reads(title_ids: Collection[str]) -> dict[str, Read]:
    """Return the reads of the waiting holds of some titles, and of the facts that decide them."""
    waiting = {"title_id": {"$in": sorted(title_ids)}, **WAITING}
    return {
        "waiting": Read("holds", waiting, sort={"title_id": 1, "place": 1}),
        "waiting_patrons": Read("patrons", by=("waiting.patron_id", "_id")),
        "waiting_borrowers": Read("borrowers", by=("waiting.patron_id", "_id")),
        "waiting_calendars": Read("calendars", by=("waiting.pickup_branch", "_id")),
    }


def read_queues(found: Document) -> dict[str, list[Waiting]]:
    """Take the queues out of the document that `_queue_reads` filled; return them by title."""
    patrons = reading.by_id(Patron, found.pop("waiting_patrons"))
    borrowers = reading.by_id(Borrower, found.pop("waiting_borrowers"))
    calendars = reading.by_id(BranchCalendar, found.pop("waiting_calendars"))
    queues: dict[str, list[Waiting]] = {}
    for hold in reading.values(Hold, found.pop("waiting")):
        borrower, calendar = borrowers.get(hold.patron_id), calendars.get(hold.pickup_branch)
        queues.setdefault(hold.title_id, []).append(
            Waiting(
                hold,
                patrons.get(hold.patron_id),
                borrower.outstanding_cents if borrower else 0,
                calendar.now if calendar else None,
            )
        )
    return queues
