"""Accounts of staff and machines, which are cardholders that are no patrons."""

from collections.abc import Collection, Sequence

from services.accounts.domain.cardholder import Cardholder
from services.accounts.domain.staff import StaffAccount
from shared.mongo import Database, from_document


async def find(
    db: Database, roles: Collection[str], after: str | None, limit: int
) -> Sequence[StaffAccount]:
    """Return accounts with one of these roles, in the order in which they were created."""
    query = {"role": {"$in": sorted(roles)}, "_id": {"$gt": after or ""}}
    found = db.cardholders.find(query).sort("_id", 1).limit(limit)
    return [StaffAccount.of(from_document(Cardholder, document)) async for document in found]
