"""Deliveries by e-mail: those that wait, and the log of the others."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

from pymongo import ASCENDING, DESCENDING, IndexModel, ReturnDocument

from services.notices.channels.rules.deliveries import (
    DIGEST,
    EMAIL,
    INBOX,
    POST,
    CodeEmail,
    Delivery,
    Digest,
    GuestEmail,
    HeldNotification,
    Letter,
    NotificationEmail,
)
from shared.declared_indexes import Indexes, sharded_by
from shared.mongo import Database, Document, from_document, plain, strings
from shared.personal_data import Personal
from shared.repository import Repository
from shared.unit_of_work import Work

DELIVERIES = "deliveries"
LEASE_SECONDS = 120
"""Time for one try. After it another process repeats the try, because the first may be dead."""
KEPT_DAYS = 90

INDEXES: Indexes = {
    DELIVERIES: sharded_by(
        "_id",
        [
            IndexModel([("state", ASCENDING), ("next_at", ASCENDING)]),
            IndexModel([("state", ASCENDING), ("urgent", DESCENDING), ("next_at", ASCENDING)]),
            IndexModel([("state", ASCENDING), ("queued_at", DESCENDING), ("_id", DESCENDING)]),
            IndexModel([("patron_id", ASCENDING), ("queued_at", DESCENDING), ("_id", DESCENDING)]),
            IndexModel([("notification_id", ASCENDING)]),
            IndexModel([("digest_id", ASCENDING)], sparse=True),
            IndexModel(
                [("guest_id", ASCENDING)], partialFilterExpression={"guest_id": {"$type": "string"}}
            ),
            IndexModel(
                [("branch", ASCENDING), ("state", ASCENDING), ("queued_at", ASCENDING)],
                partialFilterExpression={"branch": {"$type": "string"}},
            ),
            IndexModel(
                [("run_id", ASCENDING)], partialFilterExpression={"run_id": {"$type": "string"}}
            ),
            IndexModel([("queued_at", ASCENDING)], expireAfterSeconds=KEPT_DAYS * 24 * 3600),
        ],
    ),
}
PERSONAL = (Personal(DELIVERIES),)

_DIGESTS = Repository(Digest, DELIVERIES)
get_digest = _DIGESTS.get


async def claim_next(
    db: Database,
    collection: str,
    seconds: int,
    where: Mapping[str, Any] | None = None,
    first: Sequence[tuple[str, int]] = (),
) -> Document | None:
    """Take the document that has waited longest for its try; None if none is due.

    `first` sorts before the time that it has waited.

    One write by the database's clock, outside any transaction, as with a lease: no other process
    gets the document within `seconds`.
    """
    due = {"state": "waiting", **(where or {}), "$expr": {"$lte": ["$next_at", "$$NOW"]}}
    until = {"$dateAdd": {"startDate": "$$NOW", "unit": "second", "amount": seconds}}
    taking: list[dict[str, Any]] = [
        {
            "$set": {
                "next_at": until,
                "tries": {"$add": ["$tries", 1]},
                "version": {"$add": ["$version", 1]},
            }
        }
    ]
    found: Document | None = await db[collection].find_one_and_update(
        due, taking, sort=[*first, ("next_at", ASCENDING)], return_document=ReturnDocument.AFTER
    )
    return found


_FIELDS = MappingProxyType(
    {
        "patron_id": "",
        "notification_id": "",
        "guest_id": None,
        "staff_code": None,
        "covers": "",
        "channel": EMAIL,
        "digest_id": None,
        "parts": 0,
        "closed": False,
        "event_id": "",
        "about": None,
    }
)
"""Values of the fields of other types, which each document has too: earlier releases read them."""


def _stored(document: Document) -> Delivery:
    """Return a delivery as the type of its document."""
    kind: type[Delivery]
    if document.get("channel") == INBOX:
        kind = HeldNotification
    elif document.get("channel") == POST:
        kind = Letter
    elif document.get("guest_id") is not None:
        kind = GuestEmail
    elif document.get("staff_code") is not None:
        kind = CodeEmail
    else:
        kind = Digest if document["kind"] == DIGEST else NotificationEmail
    return from_document(kind, document)


def of_notification(work: Work, notification_id: str) -> list[NotificationEmail]:
    """Return the deliveries of a notification by e-mail."""
    query = {"notification_id": notification_id, "channel": EMAIL}
    return work.all(NotificationEmail, DELIVERIES, query)


def exists(work: Work, delivery_id: str) -> bool:
    """Return whether there is a delivery with this id."""
    return bool(work.count(DELIVERIES, {"_id": delivery_id}))


def held_for(work: Work, digest_id: str) -> list[NotificationEmail]:
    """Return the deliveries that a digest is to send, the first queued first."""
    query = {"digest_id": digest_id, "state": "held"}
    order = [("queued_at", ASCENDING), ("_id", ASCENDING)]
    return work.all(NotificationEmail, DELIVERIES, query, sort=order)


def save(work: Work, *deliveries: Delivery) -> None:
    """Save the next version of each delivery; version 1 is a new one."""
    work.add(DELIVERIES, *(_document(one) for one in deliveries if one.version == 1))
    work.save(DELIVERIES, *(_document(one) for one in deliveries if one.version != 1))


def _document(delivery: Delivery) -> Document:
    return {**_FIELDS, **plain(delivery)}


def is_at_version(work: Work, delivery_id: str, version: int) -> bool:
    """Return whether nobody has changed or deleted a delivery since this version."""
    return bool(work.count(DELIVERIES, {"_id": delivery_id, "version": version}))


def delete_of_patron(work: Work, patron_id: str) -> None:
    """Delete all deliveries of a patron."""
    work.delete(DELIVERIES, {"patron_id": patron_id})


def delete_of_guest(work: Work, guest_id: str) -> None:
    """Delete all deliveries to a guest."""
    work.delete(DELIVERIES, {"guest_id": strings(guest_id)})


async def claim(db: Database, *, only_urgent: bool = False) -> Delivery | None:
    """Take the delivery that has waited longest, urgent ones first; None if none is due."""
    where = {"urgent": True} if only_urgent else None
    found = await claim_next(db, DELIVERIES, LEASE_SECONDS, where, [("urgent", DESCENDING)])
    return None if found is None else _stored(found)


async def find_held(db: Database, at: datetime, limit: int) -> list[HeldNotification]:
    """Return at most `limit` held notifications whose time to be told has come."""
    query = {"state": "held", "channel": INBOX, "next_at": {"$lte": at}}
    found = db[DELIVERIES].find(query).sort("next_at", ASCENDING).limit(limit)
    return [from_document(HeldNotification, document) async for document in found]


async def find_held_for(db: Database, digest_id: str) -> list[NotificationEmail]:
    """Return the deliveries that a digest is to send, the first queued first."""
    query = {"digest_id": digest_id, "state": "held"}
    found = db[DELIVERIES].find(query).sort([("queued_at", ASCENDING), ("_id", ASCENDING)])
    return [from_document(NotificationEmail, document) async for document in found]


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
    return [_stored(document) async for document in found]


async def find_last(db: Database, kind: str, patron_ids: Collection[str]) -> list[Document]:
    """Return patron, channel, state and time of the last delivery of a kind to each patron."""
    first = {name: {"$first": f"${name}"} for name in ("channel", "state", "queued_at", "ended_at")}
    stages: list[dict[str, Any]] = [
        {"$match": {"patron_id": {"$in": sorted(patron_ids)}, "kind": kind}},
        {"$sort": {"patron_id": ASCENDING, "queued_at": DESCENDING, "_id": DESCENDING}},
        {"$group": {"_id": "$patron_id", **first}},
    ]
    return await db[DELIVERIES].aggregate(stages).to_list(None)
