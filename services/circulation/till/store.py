"""The collection of tills."""

from datetime import date

from pymongo import ASCENDING, DESCENDING, IndexModel

from services.circulation.rules.payment import Payment, Refund
from services.circulation.rules.till import Till, TillState
from shared import reading
from shared.declared_indexes import Indexes
from shared.mongo import Database, from_document
from shared.repository import Repository
from shared.unit_of_work import Work

INDEXES: Indexes = {
    "tills": [
        IndexModel(
            [("branch_code", ASCENDING), ("name", ASCENDING)],
            name="one_open_till_of_a_name",
            unique=True,
            partialFilterExpression={"state": TillState.OPEN.value},
        ),
        IndexModel([("branch_code", ASCENDING), ("opened_on", DESCENDING)]),
    ]
}

_TILLS = Repository(Till, "tills")
get = _TILLS.get
find = _TILLS.find
put = _TILLS.put


def open_of(work: Work, branch_code: str) -> list[Till]:
    """Return the open tills of a library; the index allows one of a name."""
    query = {"branch_code": branch_code, "state": TillState.OPEN.value}
    return work.all(Till, "tills", query)


async def find_cash(db: Database, till_id: str) -> tuple[list[Payment], list[Refund]]:
    """Return the payments and the refunds in cash of a till, in no order."""
    query = {"till_id": {"$eq": till_id, "$gt": ""}}
    payments = await reading.every(db, Payment, "payments", query)
    return payments, await reading.every(db, Refund, "refunds", query)


async def find_of(db: Database, branch_code: str, day: date | None, limit: int) -> list[Till]:
    """Return up to `limit` tills of a library: those opened on a day, or the last ones."""
    query = {"branch_code": branch_code, **({"opened_on": day.isoformat()} if day else {})}
    cursor = db.tills.find(query).sort("opened_on", DESCENDING).limit(limit)
    found = [from_document(Till, document) async for document in cursor]
    return sorted(found, key=lambda till: till.opened_at, reverse=True)
