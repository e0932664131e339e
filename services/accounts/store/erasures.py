"""Erasures that were begun."""

from collections.abc import AsyncIterator
from datetime import datetime

from pymongo import ASCENDING, IndexModel

from services.accounts.domain.erasure import Erasure
from shared.mongo import Database, Indexes, sharded_by
from shared.unit_of_work import Work

INDEXES: Indexes = {
    "erasures": sharded_by("_id", [IndexModel([("begun_at", ASCENDING)])]),
}


def get(work: Work, patron_id: str) -> Erasure | None:
    """Return the erasure of a patron that was begun, or None."""
    return work.find(Erasure, "erasures", {"_id": patron_id})


def save(work: Work, erasure: Erasure) -> None:
    """Save an erasure after a request for it; version 1 is a new one."""
    if erasure.version == 1:
        work.add("erasures", erasure)
    else:
        work.save("erasures", erasure)


def delete(work: Work, erasure: Erasure) -> None:
    """Delete an erasure, unless it was requested again since this version."""
    work.delete("erasures", {"_id": erasure.id, "version": erasure.version})


def delete_of_patron(work: Work, patron_id: str) -> None:
    """Delete the standing of a patron who is erased, and the note of the erasure."""
    work.delete("standings", {"_id": patron_id})
    work.delete("erasures", {"_id": patron_id})


async def find_begun(db: Database, before: datetime) -> AsyncIterator[str]:
    """Yield the ids of patrons whose erasure was last requested before an instant."""
    async for found in db.erasures.find({"begun_at": {"$lt": before}}, {"_id": 1}):
        yield found["_id"]
