"""Charges and the ledger."""

from collections.abc import AsyncIterator, Collection, Iterable
from datetime import date

from pymongo import ASCENDING, IndexModel

from services.circulation.domain.charge import Charge
from services.circulation.domain.ledger import Entry, Posting
from services.circulation.store import reading
from shared.mongo import (
    Database,
    Indexes,
    SnapshotQuery,
    from_document,
    read_snapshot_page,
    sharded_by,
)
from shared.unit_of_work import Work

# Names of indexes that queries give as a hint.
FINES = "fines_of_branch"

INDEXES: Indexes = {
    "charges": sharded_by(
        "patron_id",
        [
            IndexModel([("patron_id", ASCENDING), ("_id", ASCENDING)]),
            # The fines of a branch that charge days of a given span.
            IndexModel(
                [("basis.branch_code", ASCENDING), ("basis.until", ASCENDING)],
                name=FINES,
                partialFilterExpression={"kind": "fine"},
            ),
            IndexModel([("loan_id", ASCENDING)]),
        ],
    ),
    # Entries are only added, never changed.
    "entries": sharded_by(
        "charge_id", [IndexModel([("charge_id", ASCENDING), ("_id", ASCENDING)])]
    ),
}

OPEN = {"$or": [{"outstanding_cents": {"$gt": 0}}, {"refund_due_cents": {"$gt": 0}}]}
"""Query for charges with an unpaid amount or a refund due, as `Charge.is_open`."""


def post(work: Work, postings: Iterable[Posting]) -> None:
    """Save each charge after its change, and add the entries that record the changes."""
    postings = list(postings)
    work.add("charges", *(one.charge for one in postings if one.charge.version == 1))
    work.save("charges", *(one.charge for one in postings if one.charge.version > 1))
    work.add("entries", *(entry for one in postings for entry in one.entries))


def get(work: Work, charge_id: str) -> Charge | None:
    """Return a charge by its id, or None."""
    return work.find(Charge, "charges", {"_id": charge_id})


def some(work: Work, charge_ids: Collection[str]) -> list[Charge]:
    """Return charges by id."""
    return work.all(Charge, "charges", {"_id": {"$in": sorted(charge_ids)}})


def refund_due_cents(work: Work, patron_id: str) -> int:
    """Return what the library owes a patron, in cents."""
    query = {"patron_id": patron_id, "refund_due_cents": {"$gt": 0}}
    return sum([one.refund_due_cents for one in work.all(Charge, "charges", query)])


def of_loan(work: Work, loan_id: str) -> list[Charge]:
    """Return the charges for a loan, in the order of assessment."""
    return work.all(Charge, "charges", {"loan_id": loan_id}, sort=[("_id", 1)])


async def unsettled_loans(db: Database, loan_ids: Collection[str]) -> set[str]:
    """Return the ids of those loans that have an unpaid amount or a refund due."""
    query = {"loan_id": {"$in": sorted(loan_ids)}, **OPEN}
    return {found["loan_id"] async for found in db.charges.find(query, {"loan_id": 1})}


def entries(work: Work, charge_id: str, reference: str) -> list[Entry]:
    """Return the entries of a charge that were made for a payment, refund, loan or rework."""
    return work.all(Entry, "entries", {"charge_id": charge_id, "reference": reference})


async def find(db: Database, charge_id: str) -> Charge | None:
    """Return a charge by its id, or None."""
    found = await reading.every(db, Charge, "charges", {"_id": charge_id})
    return found[0] if found else None


async def find_unpaid(db: Database, query: SnapshotQuery) -> tuple[list[Charge], str | None]:
    """Return a page of charges with an unpaid amount or a refund due, and where the next begins."""
    return await read_snapshot_page(db.charges, Charge, query, OPEN)


async def find_of(
    db: Database, patron_id: str, *, only_open: bool, limit: int, after: str | None
) -> list[Charge]:
    """Return up to `limit` + 1 of a patron's charges, in the order of assessment."""
    query = {"patron_id": patron_id, **(OPEN if only_open else {})}
    return await reading.page(db, Charge, "charges", query, limit=limit, after=after)


async def find_fines_over(
    db: Database, branch_codes: Collection[str], first: date, last: date
) -> AsyncIterator[Charge]:
    """Yield fines of some branches that a change of the days from `first` to `last` may lower.

    Such a fine charges one of these days, or its loan was due on one of them and is now due later.
    """
    query = {
        "kind": "fine",
        "basis.branch_code": {"$in": sorted(branch_codes)},
        "basis.until": {"$gte": first.isoformat()},
        "basis.due_on": {"$lte": last.isoformat()},
    }
    async for found in db.charges.find(query, hint=FINES).batch_size(500):
        yield from_document(Charge, found)


async def find_entries(db: Database, charge_id: str) -> list[Entry]:
    """Return the ledger of one charge, oldest entry first."""
    found = await reading.every(db, Entry, "entries", {"charge_id": charge_id})
    return sorted(found, key=lambda entry: entry.id)
