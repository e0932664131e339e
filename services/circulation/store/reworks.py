"""Changes of calendars and suspensions after which fines are recalculated."""

from services.circulation.domain.rework import Rework
from services.circulation.store import reading
from shared.mongo import Database, Indexes
from shared.unit_of_work import Work

INDEXES: Indexes = {"reworks": []}

IN_HAND_MS = 15_000
"""Age of a change, in milliseconds, at which every transaction begun before it has ended."""


def want(work: Work, rework_id: str, version: int) -> None:
    """Note that fines are to be recalculated for this version of a calendar or suspension."""
    work.update(
        "reworks",
        {"_id": rework_id},
        {
            "$max": {"version": version},
            "$setOnInsert": {"done": 0, "settled": 0},
            "$currentDate": {"wanted_at": True},
        },
        upsert=True,
    )


def finish(work: Work, rework: Rework) -> None:
    """Note that a pass for the version at which `rework` was read is done."""
    passed = "settled" if rework.done == rework.version else "done"
    work.update("reworks", {"_id": rework.id}, {"$max": {passed: rework.version}})


async def find_wanted(db: Database) -> list[Rework]:
    """Return the recalculations that need their first or second pass.

    There are at most as many as branches and suspensions together. The second pass is needed
    because a return under way during the change may assess its fine by the former data and commit
    after the first pass.
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
