"""Patron data from accounts, and circulation's own counts for each patron."""

from collections.abc import AsyncIterator, Collection
from typing import Any

from pymongo import ASCENDING, IndexModel

from services.circulation.domain.patron import Borrower, Patron
from services.circulation.store import reading
from shared.mongo import Database, Indexes, sharded_by
from shared.unit_of_work import Work

INDEXES: Indexes = {
    "patrons": sharded_by(
        "_id", [IndexModel([("card_digest", ASCENDING)])]
    ),  # not unique: see `facts.of_check_out`
    "borrowers": sharded_by("_id", []),
}


def note(work: Work, patron: Patron) -> None:
    """Store a patron's data from accounts, unless newer data is stored."""
    work.save_if_newer("patrons", patron)


def get(work: Work, patron_id: str) -> Patron | None:
    """Return a patron's data from accounts, or None."""
    return work.find(Patron, "patrons", {"_id": patron_id})


async def find_digests(
    db: Database, patron_ids: Collection[str] | None, size: int
) -> AsyncIterator[dict[str, str]]:
    """Yield digests of cards in chunks, by patron id: of all patrons, or of these."""
    chunk: dict[str, str] = {}
    query: dict[str, Any] = {"card_digest": {"$gt": ""}}
    if patron_ids is not None:
        query["_id"] = {"$in": sorted(patron_ids)}
    async for found in db.patrons.find(query, {"card_digest": 1}):
        chunk[found["_id"]] = found["card_digest"]
        if len(chunk) == size:
            yield chunk
            chunk = {}
    if chunk:
        yield chunk


def borrower(work: Work, patron_id: str) -> Borrower:
    """Return the counts of a patron."""
    return (borrowers(work, [patron_id]))[patron_id]


def borrowers(work: Work, patron_ids: Collection[str]) -> dict[str, Borrower]:
    """Return the counts of some patrons, keyed by patron id."""
    known = work.all(Borrower, "borrowers", {"_id": {"$in": sorted(patron_ids)}})
    return {one: Borrower(one) for one in patron_ids} | {one.id: one for one in known}


async def find(db: Database, patron_id: str) -> tuple[Patron | None, Borrower]:
    """Return a patron's data from accounts, if any, and the counts."""
    known = await reading.every(db, Patron, "patrons", {"_id": patron_id})
    counts = await reading.every(db, Borrower, "borrowers", {"_id": patron_id})
    return (known[0] if known else None), (counts[0] if counts else Borrower(patron_id))


def save_borrower(work: Work, borrower: Borrower) -> None:
    """Save a patron's counts after a change. On concurrent changes one transaction is retried."""
    if borrower.version == 1:
        work.add("borrowers", borrower)
    else:
        work.save("borrowers", borrower)
