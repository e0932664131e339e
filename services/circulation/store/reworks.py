"""Which changes of calendars and suspensions have fines to be worked out again."""

from services.circulation.domain.rework import Rework
from services.circulation.store import reading
from shared.mongo import Database, Indexes
from shared.unit_of_work import Work

INDEXES: Indexes = {"reworks": []}

IN_HAND_MS = 15_000
"""Milliseconds after which every transaction that began before a change has ended."""


async def want(work: Work, rework_id: str, version: int) -> None:
    """Note that fines are to be worked out again for this version of a thing."""
    await work.update(
        "reworks",
        {"_id": rework_id},
        {
            "$max": {"version": version},
            "$setOnInsert": {"done": 0, "settled": 0},
            "$currentDate": {"wanted_at": True},
        },
        upsert=True,
    )


async def finish(work: Work, rework: Rework) -> None:
    """Note that it is done for the version that `rework` was read at."""
    passed = "settled" if rework.done == rework.version else "done"
    await work.update("reworks", {"_id": rework.id}, {"$max": {passed: rework.version}})


async def find_wanted(db: Database) -> list[Rework]:
    """Those to be done, and those to be done a second time: there are as many in all as branches
    and suspensions.

    A return under way as the change was made may assess its fine by what was known before, and
    commit after the first pass. The second finds it.
    """
    return await reading.every(
        db,
        Rework,
        "reworks",
        {
            "$or": [
                {"$expr": {"$lt": ["$done", "$version"]}},
                {
                    "$expr": {
                        "$and": [
                            {"$lt": ["$settled", "$version"]},
                            {"$lt": ["$wanted_at", {"$subtract": ["$$NOW", IN_HAND_MS]}]},
                        ]
                    }
                },
            ]
        },
    )
