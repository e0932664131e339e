"""Sweeps: branches whose loans are to follow what was announced."""

from collections.abc import Sequence
from datetime import datetime

from pymongo import ASCENDING, IndexModel

from services.circulation.domain.sweep import Sweep, SweepState
from services.circulation.store import reading
from shared.mongo import Database, Indexes
from shared.unit_of_work import Work

INDEXES: Indexes = {"sweeps": [IndexModel([("state", ASCENDING)])]}


async def get(work: Work, branch_code: str) -> Sweep | None:
    """The sweep of a branch; None if there was none yet."""
    return await work.find(Sweep, "sweeps", {"_id": branch_code})


async def save(work: Work, sweep: Sweep) -> None:
    """Keep the next version of a sweep; version 1 is a new one."""
    if sweep.version == 1:
        await work.add("sweeps", sweep)
    else:
        await work.save("sweeps", sweep)


async def find(db: Database) -> Sequence[Sweep]:
    """Every branch's last sweep."""
    return await reading.every(db, Sweep, "sweeps", {})


async def find_waiting(db: Database, at: datetime, *, all_settling: bool) -> list[str]:
    """The branches with something to sweep at an instant of the wall clock, in order.

    `all_settling`: also those that are to look once more only later.
    """
    settling = {} if all_settling else {"settled_after": {"$lte": at}}
    query = {
        "$or": [
            {"state": SweepState.MOVING.value},
            {"state": SweepState.SETTLING.value, **settling},
        ]
    }
    return sorted([found["_id"] async for found in db.sweeps.find(query, {"_id": 1})])
