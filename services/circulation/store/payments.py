"""Payments and refunds, and their claims on charges.

A charge has at most one claim, so it can't be paid twice, or waived while money for it is under
way.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pymongo import ASCENDING, IndexModel

from services.circulation.domain.payment import UNDER_WAY, Payment, Refund
from services.circulation.store import reading
from shared.mongo import Database, Indexes, sharded_by
from shared.unit_of_work import Work

INDEXES: Indexes = {
    "payments": sharded_by(
        "_id",
        [
            IndexModel([("parts.charge_id", ASCENDING)]),
            # The payments that the job reads.
            IndexModel([("state", ASCENDING), ("begun_at", ASCENDING)]),
        ],
    ),
    "refunds": sharded_by(
        "_id",
        [
            IndexModel([("charge_id", ASCENDING)]),
            IndexModel([("settled", ASCENDING), ("begun_at", ASCENDING)]),
        ],
    ),
    "claims": sharded_by("_id", []),
}


_OLDEST_FIRST = [("_id", ASCENDING)]
_UNDER_WAY = [state.value for state in UNDER_WAY]


@dataclass(frozen=True)
class _Claim:
    id: str
    """Id of the charge."""
    of: str
    """Id of the payment or refund."""


def begin(work: Work, payment: Payment) -> None:
    """Insert a new payment and its claims on its charges."""
    work.add("payments", payment)
    work.add("claims", *(_Claim(part.charge_id, payment.id) for part in payment.parts))


def add(work: Work, payment: Payment) -> None:
    """Insert a payment that was made in cash; it claims nothing, because it is over."""
    work.add("payments", payment)


def add_refund(work: Work, refund: Refund) -> None:
    """Insert a refund that was given in cash."""
    work.add("refunds", refund)


def begin_refund(work: Work, refund: Refund) -> None:
    """Insert a new refund and its claim on its charge."""
    work.add("refunds", refund)
    work.add("claims", _Claim(refund.charge_id, refund.id))


def claimed(work: Work, charge_ids: Collection[str]) -> bool:
    """Return True if a payment or refund is under way for any of these charges."""
    return bool(work.count("claims", {"_id": {"$in": sorted(charge_ids)}}))


def under_way(work: Work, charge_ids: Collection[str]) -> list[Payment]:
    """Return the payments under way for any of these charges."""
    return work.all(Payment, "payments", _under_way_for(charge_ids))


def get(work: Work, payment_id: str) -> Payment | None:
    """Return a payment by its id, or None."""
    return work.find(Payment, "payments", {"_id": payment_id})


def refund_under_way(work: Work, charge_id: str) -> Refund | None:
    """Return the refund that has claimed a charge, or None."""
    claim = work.find(_Claim, "claims", {"_id": charge_id})
    return get_refund(work, claim.of) if claim else None


def get_refund(work: Work, refund_id: str) -> Refund | None:
    """Return a refund by its id, or None."""
    return work.find(Refund, "refunds", {"_id": refund_id})


def of_charge(work: Work, charge_id: str) -> list[Payment]:
    """Return the payments that paid a charge, oldest first."""
    return work.all(Payment, "payments", _paid(charge_id), sort=_OLDEST_FIRST)


def refunds_of(work: Work, charge_id: str) -> list[Refund]:
    """Return the refunds of a charge."""
    return work.all(Refund, "refunds", {"charge_id": charge_id})


def save(work: Work, payment: Payment) -> None:
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


async def find(db: Database, payment_id: str) -> Payment | None:
    """Return a payment by its id, or None."""
    found = await reading.every(db, Payment, "payments", {"_id": payment_id})
    return found[0] if found else None


async def find_under_way_for(db: Database, charge_ids: Collection[str]) -> list[Payment]:
    """Return the same as `under_way`, read outside any transaction."""
    return await reading.every(db, Payment, "payments", _under_way_for(charge_ids))


def _under_way_for(charge_ids: Collection[str]) -> dict[str, Any]:
    return {"parts.charge_id": {"$in": sorted(charge_ids)}, "state": {"$in": _UNDER_WAY}}


async def find_of_charge(db: Database, charge_id: str) -> tuple[list[Payment], list[Refund]]:
    """Return the payments that paid a charge, and its refunds, read outside any transaction."""
    payments = await reading.every(db, Payment, "payments", _paid(charge_id))
    return payments, await reading.every(db, Refund, "refunds", {"charge_id": charge_id})


def _paid(charge_id: str) -> dict[str, Any]:
    return {"parts.charge_id": charge_id, "state": "paid"}


async def find_under_way(db: Database, begun_by: datetime, limit: int) -> list[Payment]:
    """Return at most `limit` payments begun by an instant and not over."""
    query = {"state": {"$in": _UNDER_WAY}, "begun_at": {"$lte": begun_by}}
    return await reading.every(db, Payment, "payments", query, limit=limit)


async def find_refunds_under_way(db: Database, begun_by: datetime, limit: int) -> list[Refund]:
    """Return at most `limit` refunds begun by an instant and not given yet."""
    query = {"settled": False, "begun_at": {"$lte": begun_by}}
    return await reading.every(db, Refund, "refunds", query, limit=limit)


async def find_refund(db: Database, refund_id: str) -> Refund | None:
    """Return a refund by its id, or None."""
    found = await reading.every(db, Refund, "refunds", {"_id": refund_id})
    return found[0] if found else None
