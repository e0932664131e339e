"""What is owed."""

from collections.abc import AsyncIterator, Collection, Iterable
from datetime import date

from pymongo import ASCENDING, IndexModel

from services.circulation.domain.charge import Charge
from services.circulation.store import reading
from shared.mongo import Database, Indexes, from_document
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


async def find_fines_over(
    db: Database, branch_codes: Collection[str], first: date, last: date
) -> AsyncIterator[Charge]:
    """The fines of some branches that may charge a day from `first` to `last`."""
    query = {
        "kind": "fine",
        "basis.branch_code": {"$in": sorted(branch_codes)},
        "basis.until": {"$gte": first.isoformat()},
        "basis.due_on": {"$lt": last.isoformat()},
    }
    async for found in db.charges.find(query, hint="fines_of_branch").batch_size(500):
        yield from_document(Charge, found)
