"""Check-outs by an offline station that the rules would have refused."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from pymongo import ASCENDING, IndexModel

from services.circulation.rules.conflict import Conflict
from shared import reading
from shared.declared_indexes import Indexes, sharded_by
from shared.mongo import Database
from shared.personal_data import Personal
from shared.repository import Repository
from shared.unit_of_work import Work

OF_BRANCH = "of_branch"  # the name of an index, for hints
INDEXES: Indexes = {
    "conflicts": sharded_by(
        "patron_id",
        [
            # A repeated report leads to the same conflict.
            IndexModel(
                [("patron_id", ASCENDING), ("barcode", ASCENDING), ("lent_on", ASCENDING)],
                unique=True,
            ),
            IndexModel([("resolution", ASCENDING), ("_id", ASCENDING)]),
            # Those of a branch that are not settled.
            IndexModel(
                [("branch_code", ASCENDING), ("resolution", ASCENDING), ("_id", ASCENDING)],
                name=OF_BRANCH,
            ),
            IndexModel([("resolution.at", ASCENDING)], sparse=True),
        ],
    ),
}
PERSONAL = (Personal("conflicts"),)

_CONFLICTS = Repository(Conflict, "conflicts")
get = _CONFLICTS.get
save = _CONFLICTS.save


def add(work: Work, conflicts: Iterable[Conflict]) -> None:
    """Insert new conflicts."""
    work.add("conflicts", *conflicts)


def reported(work: Work, patron_id: str, lent_on: date) -> set[str]:
    """Return the barcodes of a patron's check-outs of a day that are stored as conflicts."""
    query = {"patron_id": patron_id, "lent_on": lent_on.isoformat()}
    return {found.barcode for found in work.all(Conflict, "conflicts", query)}


def purge_settled(work: Work, before: datetime) -> int:
    """Delete the conflicts settled before an instant; return their number."""
    return work.delete("conflicts", {"resolution.at": {"$lt": before}})


async def find(db: Database, limit: int, after: str | None, *, only_open: bool) -> list[Conflict]:
    """Return up to `limit` + 1 of the conflicts, in the order of reporting."""
    query: dict[str, Any] = {"resolution": None} if only_open else {}
    return await reading.page(db, Conflict, "conflicts", query, limit=limit, after=after)
