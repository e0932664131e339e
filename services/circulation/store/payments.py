"""Payments and refunds, and the charges that they have claimed.

A charge has one claim at most: it can't be paid twice, nor waived while money for it is under way.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from pymongo import ASCENDING, IndexModel

from services.circulation.domain.payment import UNDER_WAY, Payment, Refund
from services.circulation.store import reading
from shared.mongo import Database, Indexes
from shared.unit_of_work import Work

INDEXES: Indexes = {
    "payments": [
        IndexModel([("parts.charge_id", ASCENDING)]),
        # What the job looks at, and nothing else.
        IndexModel([("state", ASCENDING), ("begun_at", ASCENDING)]),
    ],
    "refunds": [IndexModel([("settled", ASCENDING), ("begun_at", ASCENDING)])],
    "claims": [],
}


@dataclass(frozen=True)
class _Claim:
    id: str
    """Of the charge."""
    of: str
    """The payment or refund."""


async def begin(work: Work, payment: Payment) -> None:
    """A new payment, which claims its charges."""
    await work.add("payments", payment)
    await work.add("claims", *(_Claim(part.charge_id, payment.id) for part in payment.parts))


async def begin_refund(work: Work, refund: Refund) -> None:
    """A new refund, which claims its charge."""
    await work.add("refunds", refund)
    await work.add("claims", _Claim(refund.charge_id, refund.id))


async def claimed(work: Work, charge_ids: Collection[str]) -> bool:
    """Whether money is under way for any of these charges."""
    return bool(await work.count("claims", {"_id": {"$in": sorted(charge_ids)}}))


async def get(work: Work, payment_id: str) -> Payment | None:
    """One payment."""
    return await work.find(Payment, "payments", {"_id": payment_id})


async def get_refund(work: Work, refund_id: str) -> Refund | None:
    """One refund."""
    return await work.find(Refund, "refunds", {"_id": refund_id})


async def of_charge(work: Work, charge_id: str) -> Payment | None:
    """The payment that paid a charge. There is one at most: it paid all that was outstanding."""
    return await work.find(Payment, "payments", {"parts.charge_id": charge_id, "state": "paid"})


async def save(work: Work, payment: Payment) -> None:
    """A payment after a step; one that is not under way any more claims nothing."""
    await work.save("payments", payment)
    if payment.state not in UNDER_WAY:
        await _free(work, (part.charge_id for part in payment.parts))


async def save_refund(work: Work, refund: Refund) -> None:
    """A refund that was given."""
    await work.save("refunds", refund)
    await _free(work, [refund.charge_id])


async def _free(work: Work, charge_ids: Iterable[str]) -> None:
    await work.delete("claims", {"_id": {"$in": sorted(charge_ids)}})


async def find(db: Database, payment_id: str) -> Payment | None:
    """One payment."""
    found = await reading.every(db, Payment, "payments", {"_id": payment_id})
    return found[0] if found else None


async def find_under_way(db: Database, begun_by: datetime, limit: int) -> list[Payment]:
    """Payments that were begun by then and are not over."""
    states = [state.value for state in UNDER_WAY]
    query = {"state": {"$in": states}, "begun_at": {"$lte": begun_by}}
    return await reading.every(db, Payment, "payments", query, limit=limit)


async def find_refunds_under_way(db: Database, begun_by: datetime, limit: int) -> list[Refund]:
    """Refunds that were begun by then and are not given."""
    query = {"settled": False, "begun_at": {"$lte": begun_by}}
    return await reading.every(db, Refund, "refunds", query, limit=limit)


async def find_refund(db: Database, refund_id: str) -> Refund | None:
    """One refund."""
    found = await reading.every(db, Refund, "refunds", {"_id": refund_id})
    return found[0] if found else None
