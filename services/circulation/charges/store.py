"""Charges, the ledger, payments and refunds, and the records of the provider's test double.

A payment or refund under way claims its charges. A charge has at most one claim, so it can't be
paid twice, or waived while money for it is under way.
"""

from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import Any

from pymongo import ASCENDING, DESCENDING, IndexModel, ReturnDocument
from pymongo.errors import DuplicateKeyError

from services.circulation.rules.charge import Basis, Charge
from services.circulation.rules.ledger import Entry, Posting
from services.circulation.rules.payment import UNDER_WAY, Payment, PaymentState, Refund
from shared import reading
from shared.declared_indexes import Indexes, sharded_by
from shared.mongo import (
    Database,
    Document,
    from_document,
    leave_out_defaults,
)
from shared.personal_data import Personal
from shared.repository import Repository
from shared.unit_of_work import Work

leave_out_defaults(Basis, ("late",))
leave_out_defaults(Payment, ("provider_id", "page_url", "receipt_on"))

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
    "payments": sharded_by(
        "_id",
        [
            IndexModel([("parts.charge_id", ASCENDING)]),
            IndexModel([("patron_id", ASCENDING), ("_id", DESCENDING)]),
            IndexModel(
                [("till_id", ASCENDING), ("_id", ASCENDING)],
                partialFilterExpression={"till_id": {"$gt": ""}},
            ),
            # The payments that the job reads.
            IndexModel([("state", ASCENDING), ("begun_at", ASCENDING)]),
        ],
    ),
    "refunds": sharded_by(
        "_id",
        [
            IndexModel([("charge_id", ASCENDING)]),
            IndexModel([("settled", ASCENDING), ("begun_at", ASCENDING)]),
            IndexModel(
                [("till_id", ASCENDING), ("_id", ASCENDING)],
                partialFilterExpression={"till_id": {"$gt": ""}},
            ),
        ],
    ),
    "claims": sharded_by("_id", []),
    "double_books": [],
    "double_orders": [],
}
PERSONAL = (
    Personal("charges"),
    Personal("entries", "charge_id", part_of="charges", leave_out=("by",)),
    Personal("payments", "parts.charge_id", part_of="charges"),
    Personal("refunds", leave_out=("by",)),
)


OPEN = {"$or": [{"outstanding_cents": {"$gt": 0}}, {"refund_due_cents": {"$gt": 0}}]}
"""Query for charges with an unpaid amount or a refund due, as `Charge.is_open`."""

_CHARGES = Repository(Charge, "charges")
get = _CHARGES.get
find = _CHARGES.find
find_unpaid = partial(_CHARGES.find_page, where=OPEN)
"""Return a page of charges with an unpaid amount or a refund due, and where the next begins."""

_PAYMENTS = Repository(Payment, "payments")
add_payment = _PAYMENTS.add
"""Insert a payment that was made in cash; it claims nothing, because it is over."""
get_payment = _PAYMENTS.get
find_payment = _PAYMENTS.find

_REFUNDS = Repository(Refund, "refunds")
add_refund = _REFUNDS.add
get_refund = _REFUNDS.get
find_refund = _REFUNDS.find


def post(work: Work, postings: Iterable[Posting]) -> None:
    """Save each charge after its change, and add the entries that record the changes."""
    postings = list(postings)
    work.add("charges", *(posting.charge for posting in postings if posting.charge.version == 1))
    work.save("charges", *(posting.charge for posting in postings if posting.charge.version > 1))
    work.add("entries", *(entry for posting in postings for entry in posting.entries))


def some(work: Work, charge_ids: Collection[str]) -> list[Charge]:
    """Return charges by id."""
    return work.all(Charge, "charges", {"_id": {"$in": sorted(charge_ids)}})


def refund_due_cents(work: Work, patron_id: str) -> int:
    """Return what the library owes a patron, in cents."""
    query = {"patron_id": patron_id, "refund_due_cents": {"$gt": 0}}
    return sum(charge.refund_due_cents for charge in work.all(Charge, "charges", query))


def unpaid_fines_cents(work: Work, patron_id: str) -> int:
    """Return the sum of a patron's unpaid fines, in cents, without other charges."""
    return sum(
        charge.outstanding_cents for charge in work.all(Charge, "charges", _fines(patron_id))
    )


async def find_unpaid_fines_cents(db: Database, patron_id: str) -> int:
    """Return the same as `unpaid_fines_cents`, read outside any transaction."""
    found = await reading.every(db, Charge, "charges", _fines(patron_id))
    return sum(charge.outstanding_cents for charge in found)


def _fines(patron_id: str) -> dict[str, Any]:
    return {"patron_id": patron_id, "kind": "fine", "outstanding_cents": {"$gt": 0}}


def of_loan(work: Work, loan_id: str) -> list[Charge]:
    """Return the charges for a loan, in the order of assessment."""
    return work.all(Charge, "charges", {"loan_id": loan_id}, sort=[("_id", 1)])


def fees_of(work: Work, patron_id: str, hold_ids: Collection[str]) -> list[Charge]:
    """Return the fees for collecting some of a patron's holds."""
    query = {"patron_id": patron_id, "hold_id": {"$in": sorted(hold_ids)}}
    return work.all(Charge, "charges", query)


async def unsettled_loans(db: Database, loan_ids: Collection[str]) -> set[str]:
    """Return the ids of those loans that have an unpaid amount or a refund due."""
    query = {"loan_id": {"$in": sorted(loan_ids)}, **OPEN}
    return {found["loan_id"] async for found in db.charges.find(query, {"loan_id": 1})}


def entries(work: Work, charge_id: str, reference: str) -> list[Entry]:
    """Return the entries of a charge that were made for a payment, refund, loan or rework."""
    return work.all(Entry, "entries", {"charge_id": charge_id, "reference": reference})


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


_OLDEST_FIRST = [("_id", ASCENDING)]
_UNDER_WAY = [state.value for state in UNDER_WAY]


@dataclass(frozen=True)
class _Claim:
    id: str
    """Id of the charge."""
    of: str
    """Id of the payment or refund."""


def begin_payment(work: Work, payment: Payment) -> None:
    """Insert a new payment and its claims on its charges."""
    work.add("payments", payment)
    work.add("claims", *(_Claim(part.charge_id, payment.id) for part in payment.parts))


def begin_refund(work: Work, refund: Refund) -> None:
    """Insert a new refund and its claim on its charge."""
    work.add("refunds", refund)
    work.add("claims", _Claim(refund.charge_id, refund.id))


def claimed(work: Work, charge_ids: Collection[str]) -> bool:
    """Return True if a payment or refund is under way for any of these charges."""
    return bool(work.count("claims", {"_id": {"$in": sorted(charge_ids)}}))


def payments_under_way(work: Work, charge_ids: Collection[str]) -> list[Payment]:
    """Return the payments under way for any of these charges."""
    return work.all(Payment, "payments", _under_way_for(charge_ids))


def refund_under_way(work: Work, charge_id: str) -> Refund | None:
    """Return the refund that has claimed a charge, or None."""
    claim = work.find(_Claim, "claims", {"_id": charge_id})
    return get_refund(work, claim.of) if claim else None


def payments_of(work: Work, charge_id: str) -> list[Payment]:
    """Return the payments that paid a charge, oldest first."""
    return work.all(Payment, "payments", _paid(charge_id), sort=_OLDEST_FIRST)


def refunds_of(work: Work, charge_id: str) -> list[Refund]:
    """Return the refunds of a charge."""
    return work.all(Refund, "refunds", {"charge_id": charge_id})


def save_payment(work: Work, payment: Payment) -> None:
    """Save a payment after a step; release its claims if it is no longer under way."""
    work.save("payments", payment)
    if payment.state not in UNDER_WAY:
        _free(work, (part.charge_id for part in payment.parts))


def save_refund(work: Work, refund: Refund) -> None:
    """Save a refund that was given, and release its claim."""
    work.save("refunds", refund)
    _free(work, [refund.charge_id])


def _free(work: Work, charge_ids: Iterable[str]) -> None:
    work.delete("claims", {"_id": {"$in": sorted(charge_ids)}})


async def find_payments_by(
    db: Database, patron_id: str, limit: int, before: str | None
) -> list[Payment]:
    """Return up to `limit` + 1 payments of a patron that are not declined, the newest first."""
    query = {
        "patron_id": patron_id,
        "state": {"$nin": [PaymentState.DECLINED.value, PaymentState.NOT_RECEIVED.value]},
        **({"_id": {"$lt": before}} if before else {}),
    }
    cursor = db.payments.find(query).sort("_id", DESCENDING).limit(limit + 1)
    return [from_document(Payment, document) async for document in cursor]


async def find_some(db: Database, charge_ids: Collection[str]) -> list[Charge]:
    """Return the same as `some`, read outside any transaction."""
    return await reading.every(db, Charge, "charges", {"_id": {"$in": sorted(charge_ids)}})


async def find_refunds_of(db: Database, charge_ids: Collection[str]) -> list[Refund]:
    """Return the refunds of some charges."""
    return await reading.every(db, Refund, "refunds", {"charge_id": {"$in": sorted(charge_ids)}})


async def find_payments_under_way_for(db: Database, charge_ids: Collection[str]) -> list[Payment]:
    """Return the same as `under_way`, read outside any transaction."""
    return await reading.every(db, Payment, "payments", _under_way_for(charge_ids))


def _under_way_for(charge_ids: Collection[str]) -> dict[str, Any]:
    return {"parts.charge_id": {"$in": sorted(charge_ids)}, "state": {"$in": _UNDER_WAY}}


async def find_payments_of(db: Database, charge_id: str) -> tuple[list[Payment], list[Refund]]:
    """Return the payments that paid a charge, and its refunds, read outside any transaction."""
    payments = await reading.every(db, Payment, "payments", _paid(charge_id))
    return payments, await reading.every(db, Refund, "refunds", {"charge_id": charge_id})


def _paid(charge_id: str) -> dict[str, Any]:
    return {"parts.charge_id": charge_id, "state": "paid"}


async def find_payments_under_way(db: Database, begun_by: datetime, limit: int) -> list[Payment]:
    """Return at most `limit` payments begun by an instant and not over."""
    query = {"state": {"$in": _UNDER_WAY}, "begun_at": {"$lte": begun_by}}
    return await reading.every(db, Payment, "payments", query, limit=limit)


async def find_refunds_under_way(db: Database, begun_by: datetime, limit: int) -> list[Refund]:
    """Return at most `limit` refunds begun by an instant and not given yet."""
    query = {"settled": False, "begun_at": {"$lte": begun_by}}
    return await reading.every(db, Refund, "refunds", query, limit=limit)


async def record_call(db: Database, reference: str, facts: dict[str, Any]) -> Document:
    """Add those of `facts` that are new to the record of a reference; return the record."""
    new = {name: {"$ifNull": [f"${name}", value]} for name, value in facts.items()}
    while True:
        try:
            found: Document | None = await db.double_books.find_one_and_update(
                {"_id": reference},
                [{"$set": new}],
                upsert=True,
                return_document=ReturnDocument.AFTER,
            )
        except DuplicateKeyError:
            continue  # a concurrent call inserted the document
        return found or {}


async def recorded_calls(db: Database, reference: str) -> Document:
    """Return the record of a reference; empty if there is none."""
    return await db.double_books.find_one({"_id": reference}) or {}


async def next_order(db: Database, call: str) -> str:
    """Remove and return a test's order for the next `call`; an empty string if there is none."""
    order = await db.double_orders.find_one_and_delete({"call": call}, sort=[("_id", 1)])
    return str(order["do"]) if order else ""


@dataclass(frozen=True, slots=True)
class _Item:
    """A loan or hold, as far as its charges show it."""

    id: str
    title_id: str


def titles_of(work: Work, charges: Collection[Charge]) -> dict[str, str]:
    """Return the ids of the titles that charges are about, keyed by charge id.

    A charge whose loan or hold has been deleted is left out.
    """
    items = [
        item
        for collection, query in _items_of(charges).items()
        for item in work.all(_Item, collection, query)
    ]
    return _by_charge(charges, {item.id: item.title_id for item in items})


async def find_titles_of(db: Database, charges: Collection[Charge]) -> dict[str, str]:
    """Return the same as `titles_of`, read outside any transaction."""
    titles: dict[str, str] = {}
    for collection, query in _items_of(charges).items():
        found = db[collection].find(query, {"title_id": 1})
        titles |= {item["_id"]: item["title_id"] async for item in found}
    return _by_charge(charges, titles)


def _items_of(charges: Collection[Charge]) -> dict[str, dict[str, Any]]:
    """Build the query for the loans and holds of charges, by collection."""
    ids = {
        "loans": {charge.loan_id for charge in charges if charge.loan_id},
        "holds": {charge.hold_id for charge in charges if charge.hold_id},
    }
    return {name: {"_id": {"$in": sorted(some)}} for name, some in ids.items() if some}


def _by_charge(charges: Collection[Charge], titles: Mapping[str, str]) -> dict[str, str]:
    about = {charge.id: charge.loan_id or charge.hold_id or "" for charge in charges}
    return {charge_id: titles[item] for charge_id, item in about.items() if item in titles}
