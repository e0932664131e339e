"""Fine suspensions."""

from datetime import date

from pymongo import ASCENDING, IndexModel

from services.circulation.domain.suspension import FineSuspension
from services.circulation.store import reading
from shared.mongo import Database, Indexes, SnapshotQuery, read_snapshot_page
from shared.unit_of_work import Work

INDEXES: Indexes = {
    "suspensions": [
        IndexModel([("resumption_noticed_on", ASCENDING), ("resumes_on", ASCENDING)]),
    ],
}


def every(work: Work) -> list[FineSuspension]:
    """Return every fine suspension. There are few: a library has some in a decade."""
    return work.all(FineSuspension, "suspensions", {})


def get(work: Work, suspension_id: str) -> FineSuspension | None:
    """Return a fine suspension by its id, or None."""
    return work.find(FineSuspension, "suspensions", {"_id": suspension_id})


def save(work: Work, suspension: FineSuspension) -> None:
    """Insert a new fine suspension, or save one after a change."""
    if suspension.version == 1:
        work.add("suspensions", suspension)
    else:
        work.save("suspensions", suspension)


async def find(db: Database) -> list[FineSuspension]:
    """Return every fine suspension, in the order of recording."""
    found = await reading.every(db, FineSuspension, "suspensions", {})
    return sorted(found, key=lambda one: one.id)


async def find_one(db: Database, suspension_id: str) -> FineSuspension | None:
    """Return a fine suspension by its id, or None."""
    found = await reading.every(db, FineSuspension, "suspensions", {"_id": suspension_id})
    return found[0] if found else None


async def find_page(db: Database, query: SnapshotQuery) -> tuple[list[FineSuspension], str | None]:
    """Return a page of the suspensions and the id at which the next page begins."""
    return await read_snapshot_page(db.suspensions, FineSuspension, query)


async def to_resume(db: Database, day: date) -> list[str]:
    """Return the ids of the suspensions that ended by `day` and whose end was not published yet."""
    query = {"resumption_noticed_on": None, "resumes_on": {"$lte": day.isoformat()}}
    return [found["_id"] async for found in db.suspensions.find(query, {"_id": 1})]
