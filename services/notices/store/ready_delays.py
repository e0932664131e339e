"""The delays of branches before patrons are told that an item is ready."""

from services.notices.domain.ready_delay import ReadyDelay
from shared.mongo import Database, Indexes, from_document
from shared.unit_of_work import Work

READY_DELAYS = "ready_delays"

INDEXES: Indexes = {READY_DELAYS: []}


def get(work: Work, branch: str) -> ReadyDelay | None:
    """Return the delay of a branch, or None if it was never set."""
    return work.find(ReadyDelay, READY_DELAYS, {"_id": branch})


def save(work: Work, delay: ReadyDelay) -> None:
    """Save the next version of a delay; version 1 is a new one."""
    if delay.version == 1:
        work.add(READY_DELAYS, delay)
    else:
        work.save(READY_DELAYS, delay)


async def find_one(db: Database, branch: str) -> ReadyDelay | None:
    """Return the delay of a branch, or None if it was never set."""
    found = await db[READY_DELAYS].find_one({"_id": branch})
    return None if found is None else from_document(ReadyDelay, found)
