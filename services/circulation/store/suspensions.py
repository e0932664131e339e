"""Fine suspensions."""

from datetime import date

from pymongo import ASCENDING, IndexModel

from services.circulation.domain.suspension import FineSuspension
from services.circulation.store import reading
from shared.mongo import Database, Indexes, Part, read_part
from shared.unit_of_work import Work

INDEXES: Indexes = {
    "suspensions": [
        IndexModel([("resumption_noticed_on", ASCENDING), ("resumes_on", ASCENDING)]),
    ],
}


async def every(work: Work) -> list[FineSuspension]:
    """Every fine suspension. They are few: a library has some in a decade."""
    return await work.all(FineSuspension, "suspensions", {})


async def get(work: Work, suspension_id: str) -> FineSuspension | None:
    """One fine suspension."""
    return await work.find(FineSuspension, "suspensions", {"_id": suspension_id})


async def save(work: Work, suspension: FineSuspension) -> None:
    """A new fine suspension, or one after a change."""
    if suspension.version == 1:
        await work.add("suspensions", suspension)
    else:
        await work.save("suspensions", suspension)


async def find(db: Database) -> list[FineSuspension]:
    """Every fine suspension, in the order of recording."""
    found = await reading.every(db, FineSuspension, "suspensions", {})
    return sorted(found, key=lambda one: one.id)


async def find_one(db: Database, suspension_id: str) -> FineSuspension | None:
    """One fine suspension."""
    found = await reading.every(db, FineSuspension, "suspensions", {"_id": suspension_id})
    return found[0] if found else None


async def find_part(db: Database, part: Part) -> tuple[list[FineSuspension], str | None]:
    """A part of the suspensions and where to go on."""
    return await read_part(db.suspensions, FineSuspension, part)


async def to_resume(db: Database, day: date) -> list[str]:
    """Ids of the suspensions whose end has come by `day` and has not been noticed."""
    query = {"resumption_noticed_on": None, "resumes_on": {"$lte": day.isoformat()}}
    return [found["_id"] async for found in db.suspensions.find(query, {"_id": 1})]
