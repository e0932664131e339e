"""Accounts of staff and machines, which are cardholders that are no patrons, and requests."""

from collections.abc import Collection, Sequence
from datetime import datetime

from pymongo import ASCENDING, IndexModel

from services.accounts.cardholders.rules import Cardholder
from services.accounts.cardholders.store import find_cardholder
from services.accounts.staff.rules import Manager, StaffAccount, StaffRequest
from shared.declared_indexes import Indexes
from shared.mongo import Database, from_document
from shared.repository import Repository
from shared.unit_of_work import Work

INDEXES: Indexes = {
    "staff_requests": [IndexModel([("expires_at", ASCENDING)], expireAfterSeconds=0)],
}

MOST_SHOWN = 200

_STAFF_REQUESTS = Repository(StaffRequest, "staff_requests")
add_request = _STAFF_REQUESTS.add
request = _STAFF_REQUESTS.get


async def find_account(db: Database, account_id: str, by: Manager) -> StaffAccount:
    """Return an account that `by` may manage. Raises NoSuchAccount."""
    return StaffAccount.of(by.check_covered(await find_cardholder(db, account_id)))


async def find_accounts(
    db: Database, roles: Collection[str], after: str | None, limit: int
) -> Sequence[StaffAccount]:
    """Return accounts with one of these roles, in the order in which they were created."""
    query = {"role": {"$in": sorted(roles)}, "_id": {"$gt": after or ""}}
    found = db.cardholders.find(query).sort("_id", 1).limit(limit)
    return [StaffAccount.of(from_document(Cardholder, document)) async for document in found]


def delete_request(work: Work, request: StaffRequest) -> None:
    """Delete a request that is decided. Of two decisions at once one is retried, and finds none."""
    work.delete("staff_requests", {"_id": request.id})


async def find_open_requests(db: Database, at: datetime) -> Sequence[StaffRequest]:
    """Return the requests that are open at `at`, the oldest first."""
    found = db.staff_requests.find({"expires_at": {"$gt": at}}).sort("_id", 1).limit(MOST_SHOWN)
    return [from_document(StaffRequest, document) async for document in found]
