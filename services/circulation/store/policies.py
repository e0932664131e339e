"""The policy rows in force."""

from services.circulation.domain.policy import HONG_KONG, Policy, PolicyMatrix
from services.circulation.store import reading
from shared.mongo import Database, Indexes
from shared.unit_of_work import Work

INDEXES: Indexes = {"policies": []}


async def matrix(work: Work) -> PolicyMatrix:
    """The policy rows in force. The first to ask stores the default ones."""
    rows = await work.all(Policy, "policies", {})
    if rows:
        return PolicyMatrix(rows)
    for row in HONG_KONG.rows:
        await work.add("policies", row)
    return HONG_KONG


async def find(db: Database) -> list[Policy]:
    """The policy rows in force."""
    rows = await reading.every(db, Policy, "policies", {})
    return sorted(rows or HONG_KONG.rows, key=lambda row: row.id)
