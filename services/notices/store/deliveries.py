"""Deliveries of notifications by e-mail: those that wait, and the log of the others."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pymongo import ASCENDING, DESCENDING, IndexModel, ReturnDocument

from services.notices.domain.delivery import Delivery
from shared.mongo import Database, Document, Indexes, from_document
from shared.unit_of_work import Work

DELIVERIES = "deliveries"
LEASE_SECONDS = 120
"""Time for one try. After it another process repeats the try, because the first may be dead."""
KEPT_DAYS = 90

INDEXES: Indexes = {
    DELIVERIES: [
        IndexModel([("state", ASCENDING), ("next_at", ASCENDING)]),
        IndexModel([("state", ASCENDING), ("queued_at", DESCENDING), ("_id", DESCENDING)]),
        IndexModel([("patron_id", ASCENDING), ("queued_at", DESCENDING), ("_id", DESCENDING)]),
        IndexModel([("notification_id", ASCENDING)]),
        IndexModel(
            [("guest_id", ASCENDING)], partialFilterExpression={"guest_id": {"$type": "string"}}
        ),
        IndexModel([("queued_at", ASCENDING)], expireAfterSeconds=KEPT_DAYS * 24 * 3600),
    ],
}


async def of_notification(work: Work, notification_id: str) -> list[Delivery]:
    """Return the deliveries of a notification."""
    return await work.all(Delivery, DELIVERIES, {"notification_id": notification_id})


async def save(work: Work, delivery: Delivery) -> None:
    """Save the next version of a delivery; version 1 is a new one."""
    if delivery.version == 1:
        await work.add(DELIVERIES, delivery)
    else:
        await work.save(DELIVERIES, delivery)


async def is_at_version(work: Work, delivery_id: str, version: int) -> bool:
    """Return whether nobody has changed or deleted a delivery since this version."""
    return bool(await work.count(DELIVERIES, {"_id": delivery_id, "version": version}))


async def delete_of_patron(work: Work, patron_id: str) -> None:
    """Delete all deliveries of a patron."""
    await work.delete(DELIVERIES, {"patron_id": patron_id})


async def delete_of_guest(work: Work, guest_id: str) -> None:
    """Delete all deliveries to a guest."""
    await work.delete(DELIVERIES, {"guest_id": guest_id})


async def claim(db: Database, kind: str | None = None) -> Delivery | None:
    """Take the delivery that has waited longest for its try; None if none is due.

    With a `kind`, only deliveries of that kind.

    One write by the database's clock, outside any transaction, as with a lease: no other process
    gets the delivery within LEASE_SECONDS.
    """
    due: dict[str, Any] = {"state": "waiting", "$expr": {"$lte": ["$next_at", "$$NOW"]}}
    if kind is not None:
        due["kind"] = kind
    until = {"$dateAdd": {"startDate": "$$NOW", "unit": "second", "amount": LEASE_SECONDS}}
    taking: list[dict[str, Any]] = [
        {
            "$set": {
                "next_at": until,
                "tries": {"$add": ["$tries", 1]},
                "version": {"$add": ["$version", 1]},
            }
        }
    ]
    found: Document | None = await db[DELIVERIES].find_one_and_update(
        due, taking, sort=[("next_at", ASCENDING)], return_document=ReturnDocument.AFTER
    )
    return None if found is None else from_document(Delivery, found)


async def find_where(
    db: Database, where: Mapping[str, Any], after: tuple[datetime, str] | None, limit: int
) -> list[Delivery]:
    """Return at most `limit` deliveries that match, the last queued first, after a time and id."""
    query = dict(where)
    if after is not None:
        at, delivery_id = after
        query["$or"] = [
            {"queued_at": {"$lt": at}},
            {"queued_at": at, "_id": {"$lt": delivery_id}},
        ]
    order = [("queued_at", DESCENDING), ("_id", DESCENDING)]
    found = db[DELIVERIES].find(query).sort(order).limit(limit)
    return [from_document(Delivery, document) async for document in found]
