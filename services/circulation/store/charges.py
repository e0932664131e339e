"""What is owed."""

from collections.abc import Iterable

from pymongo import ASCENDING, IndexModel

from services.circulation.domain.charge import Charge
from services.circulation.store import reading
from shared.mongo import Database, Indexes
from shared.unit_of_work import Work

INDEXES: Indexes = {
    "charges": [
        IndexModel([("patron_id", ASCENDING), ("_id", ASCENDING)]),
        # The fines of a branch that days of a certain span are part of.
        IndexModel(
            [("basis.branch_code", ASCENDING), ("basis.until", ASCENDING)],
            name="fines_of_branch",
            partialFilterExpression={"kind": "fine"},
        ),
    ],
}


async def add(work: Work, charges: Iterable[Charge]) -> None:
    """New charges."""
    await work.add("charges", *charges)


async def find(db: Database, charge_id: str) -> Charge | None:
    """One charge."""
    found = await reading.every(db, Charge, "charges", {"_id": charge_id})
    return found[0] if found else None


async def find_of(db: Database, patron_id: str, limit: int, after: str | None) -> list[Charge]:
    """A patron's charges, in the order of assessment."""
    return await reading.page(
        db, Charge, "charges", {"patron_id": patron_id}, limit=limit, after=after
    )
