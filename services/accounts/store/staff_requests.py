"""Requests about accounts of staff that wait for a second person."""

from collections.abc import Sequence
from datetime import datetime

from pymongo import ASCENDING, IndexModel

from services.accounts.domain.staff_request import StaffRequest
from shared.mongo import Database, Indexes, from_document
from shared.unit_of_work import Work

MOST_SHOWN = 200

INDEXES: Indexes = {
    "staff_requests": [IndexModel([("expires_at", ASCENDING)], expireAfterSeconds=0)],
}


def add(work: Work, request: StaffRequest) -> None:
    """Insert a new request."""
    work.add("staff_requests", request)


def get(work: Work, request_id: str) -> StaffRequest | None:
    """Return a request, or None."""
    return work.find(StaffRequest, "staff_requests", {"_id": request_id})


def delete(work: Work, request: StaffRequest) -> None:
    """Delete a request that is decided. Of two decisions at once one is retried, and finds none."""
    work.delete("staff_requests", {"_id": request.id})


async def find_open(db: Database, at: datetime) -> Sequence[StaffRequest]:
    """Return the requests that are open at `at`, the oldest first."""
    found = db.staff_requests.find({"expires_at": {"$gt": at}}).sort("_id", 1).limit(MOST_SHOWN)
    return [from_document(StaffRequest, document) async for document in found]
