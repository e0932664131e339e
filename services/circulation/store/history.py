"""What patrons have read, of those who asked that it be kept."""

from pymongo import ASCENDING, IndexModel

from services.circulation.domain.history import PastLoan, Reader
from services.circulation.store import reading
from shared.mongo import Database, Indexes
from shared.unit_of_work import Work

INDEXES: Indexes = {
    "history": [IndexModel([("patron_id", ASCENDING), ("_id", ASCENDING)])],
    "readers": [],
}


async def note(work: Work, reader: Reader) -> bool:
    """Keep what a patron wants, unless something newer is known; says whether it was kept."""
    return await work.save_if_newer("readers", reader)


async def get(work: Work, patron_id: str) -> Reader | None:
    """What a patron wants; None: they never said."""
    return await work.find(Reader, "readers", {"_id": patron_id})


async def add(work: Work, past: PastLoan) -> None:
    """A loan into its patron's history. If they change their mind at this moment, one waits."""
    await work.update("readers", {"_id": past.patron_id}, {"$inc": {"moves": 1}})
    await work.add("history", past)


async def forget(work: Work, patron_id: str) -> int:
    """Delete a patron's history; says how many loans it had."""
    return await work.delete("history", {"patron_id": patron_id})


async def forget_reader(work: Work, patron_id: str) -> None:
    """Delete a patron's history and what they wanted."""
    await forget(work, patron_id)
    await work.delete("readers", {"_id": patron_id})


async def find_of(db: Database, patron_id: str, limit: int, after: str | None) -> list[PastLoan]:
    """One more than `limit` of a patron's past loans, in the order of borrowing."""
    return await reading.page(
        db, PastLoan, "history", {"patron_id": patron_id}, limit=limit, after=after
    )
