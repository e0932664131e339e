"""Sweeps: branches whose loans and holds are to follow announced changes."""

from datetime import datetime

from pymongo import ASCENDING, IndexModel

from services.circulation.domain.sweep import Sweep, SweepState
from services.circulation.store import reading
from shared.mongo import Database, Indexes
from shared.unit_of_work import Work

INDEXES: Indexes = {"sweeps": [IndexModel([("state", ASCENDING)])]}


def get(work: Work, branch_code: str) -> Sweep | None:
    """Return the last sweep of a branch; None if there was none yet."""
    return work.find(Sweep, "sweeps", {"_id": branch_code})


def save(work: Work, sweep: Sweep) -> None:
    """Insert a sweep of version 1, or save the next version of one."""
    if sweep.version == 1:
        work.add("sweeps", sweep)
    else:
        work.save("sweeps", sweep)


async def find(db: Database) -> list[Sweep]:
    """Return the last sweep of every branch, in the order of branch codes."""
    return sorted(await reading.every(db, Sweep, "sweeps", {}), key=lambda sweep: sweep.id)


async def find_waiting(db: Database, at: datetime, *, all_settling: bool) -> list[str]:
    """Return the branches with sweep work at an instant of the wall clock, in order.

    With `all_settling`, includes sweeps whose second pass is not due yet.
    """
    settling = {} if all_settling else {"settled_after": {"$lte": at}}
    query = {
        "$or": [
            {"state": SweepState.MOVING.value},
            {"state": SweepState.SETTLING.value, **settling},
        ]
    }
    return sorted([found["_id"] async for found in db.sweeps.find(query, {"_id": 1})])
