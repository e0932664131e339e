"""Reading history of the patrons who chose to keep one."""

from pymongo import ASCENDING, IndexModel

from services.circulation.domain.history import PastLoan, Reader
from services.circulation.store import reading
from shared.mongo import Database, Indexes, sharded_by
from shared.unit_of_work import Work

INDEXES: Indexes = {
    "history": sharded_by(
        "patron_id", [IndexModel([("patron_id", ASCENDING), ("_id", ASCENDING)])]
    ),
    "readers": sharded_by("_id", []),
}


def note(work: Work, reader: Reader) -> bool:
    """Store a patron's choice unless a newer one is stored; return True if it was stored."""
    return work.save_if_newer("readers", reader)


def get(work: Work, patron_id: str) -> Reader | None:
    """Return a patron's choice about reading history; None if there is none."""
    return work.find(Reader, "readers", {"_id": patron_id})


def add(work: Work, past: PastLoan) -> None:
    """Add a loan to its patron's reading history.

    Also writes the patron's choice, so that a change of it in a concurrent transaction conflicts,
    and one of the two is retried.
    """
    work.update("readers", {"_id": past.patron_id}, {"$inc": {"moves": 1}})
    work.add("history", past)


def purge(work: Work, patron_id: str) -> int:
    """Delete a patron's history; return the number of loans in it."""
    return work.delete("history", {"patron_id": patron_id})


def purge_reader(work: Work, patron_id: str) -> None:
    """Delete a patron's history and their choice about it."""
    purge(work, patron_id)
    work.delete("readers", {"_id": patron_id})


async def find_of(db: Database, patron_id: str, limit: int, after: str | None) -> list[PastLoan]:
    """Return up to `limit` + 1 of a patron's past loans, in the order of borrowing."""
    return await reading.page(
        db, PastLoan, "history", {"patron_id": patron_id}, limit=limit, after=after
    )
