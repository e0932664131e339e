"""Which changes of calendars and suspensions have fines to be worked out again."""

from collections.abc import Sequence

from services.circulation.domain.rework import Rework
from services.circulation.store import reading
from shared.mongo import Database, Indexes
from shared.unit_of_work import Work

INDEXES: Indexes = {"reworks": []}


async def want(work: Work, rework_id: str, version: int) -> None:
    """Note that fines are to be worked out again for this version of a thing."""
    await work.update(
        "reworks",
        {"_id": rework_id},
        {"$max": {"version": version}, "$setOnInsert": {"done": 0}},
        upsert=True,
    )


async def finish(work: Work, rework: Rework) -> None:
    """Note that it is done for the version that `rework` was read at."""
    await work.update("reworks", {"_id": rework.id}, {"$max": {"done": rework.version}})


async def find_wanted(db: Database) -> Sequence[Rework]:
    """Those that are not done. There are as many in all as branches and suspensions."""
    return await reading.every(db, Rework, "reworks", {"$expr": {"$lt": ["$done", "$version"]}})
