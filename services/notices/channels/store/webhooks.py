"""Webhooks of client apps, and the messages that wait for them."""

from collections.abc import Mapping, Sequence
from typing import Any

from pymongo import ASCENDING, IndexModel

from services.notices.channels.rules.webhooks import Webhook, WebhookMessage
from services.notices.channels.store.deliveries import claim_next as take
from shared import reading
from shared.declared_indexes import Indexes, sharded_by
from shared.mongo import Database, from_document
from shared.personal_data import Personal
from shared.unit_of_work import Work

WEBHOOKS = "webhooks"
MESSAGES = "webhook_messages"
LEASE_SECONDS = 60
"""Time for one try. After it another process repeats the try, because the first may be dead."""
KEPT_DAYS = 30

INDEXES: Indexes = {
    WEBHOOKS: [
        IndexModel([("slot", ASCENDING)], unique=True),
        IndexModel([("topics", ASCENDING), ("state", ASCENDING)]),
    ],
    MESSAGES: sharded_by(
        "_id",
        [
            IndexModel([("state", ASCENDING), ("webhook_id", ASCENDING), ("next_at", ASCENDING)]),
            IndexModel([("webhook_id", ASCENDING)]),
            IndexModel([("patron_id", ASCENDING)]),
            IndexModel([("queued_at", ASCENDING)], expireAfterSeconds=KEPT_DAYS * 24 * 3600),
        ],
    ),
}
PERSONAL = (Personal(MESSAGES, leave_out=("webhook_id",)),)


def get(work: Work, webhook_id: str) -> Webhook | None:
    """Return a webhook, or None."""
    return work.find(Webhook, WEBHOOKS, {"_id": webhook_id})


def all_webhooks(work: Work) -> list[Webhook]:
    """Return all webhooks."""
    return work.all(Webhook, WEBHOOKS, {})


def wanting(work: Work, kinds: Sequence[str]) -> list[Webhook]:
    """Return the enabled webhooks that get messages about notifications of one of these kinds."""
    return work.all(Webhook, WEBHOOKS, {"topics": {"$in": list(kinds)}, "state": "enabled"})


def save(work: Work, webhook: Webhook) -> None:
    """Save the next version of a webhook; version 1 is a new one."""
    work.put(WEBHOOKS, webhook)


def delete(work: Work, webhook_id: str) -> None:
    """Delete a webhook and its messages."""
    work.delete(WEBHOOKS, {"_id": webhook_id})
    work.delete(MESSAGES, {"webhook_id": webhook_id})


def get_message(work: Work, message_id: str) -> WebhookMessage | None:
    """Return a message, or None."""
    return work.find(WebhookMessage, MESSAGES, {"_id": message_id})


def some_messages(work: Work, message_ids: Sequence[str]) -> dict[str, WebhookMessage]:
    """Return the existing messages of these, by id."""
    found = work.all(WebhookMessage, MESSAGES, {"_id": {"$in": list(message_ids)}})
    return {one.id: one for one in found}


def save_messages(work: Work, *messages: WebhookMessage) -> None:
    """Save the next version of each message; version 1 is a new one."""
    work.put(MESSAGES, *messages)


def delete_of_patron(work: Work, patron_id: str) -> None:
    """Delete all messages about a patron."""
    work.delete(MESSAGES, {"patron_id": patron_id})


async def find_all(db: Database) -> list[Webhook]:
    """Return all webhooks, the oldest first."""
    found = db[WEBHOOKS].find().sort("_id", ASCENDING)
    return [from_document(Webhook, document) async for document in found]


async def find_one(db: Database, webhook_id: str) -> Webhook | None:
    """Return a webhook, or None."""
    return await reading.first(db, Webhook, WEBHOOKS, {"_id": webhook_id})


async def count_waiting(db: Database) -> Mapping[str, int]:
    """Return the number of waiting messages of each webhook that has any."""
    counting: list[dict[str, Any]] = [
        {"$match": {"state": "waiting"}},
        {"$group": {"_id": "$webhook_id", "count": {"$sum": 1}}},
    ]
    return {row["_id"]: row["count"] async for row in db[MESSAGES].aggregate(counting)}


async def find_due(db: Database) -> list[str]:
    """Return the ids of the webhooks that have a message to be tried now."""
    finding: list[dict[str, Any]] = [
        {"$match": {"state": "waiting", "$expr": {"$lte": ["$next_at", "$$NOW"]}}},
        {"$group": {"_id": "$webhook_id"}},
    ]
    return [str(row["_id"]) async for row in db[MESSAGES].aggregate(finding)]


async def claim(db: Database, webhook_id: str) -> WebhookMessage | None:
    """Take the message to a webhook that has waited longest for its try; None if none is due."""
    found = await take(db, MESSAGES, LEASE_SECONDS, {"webhook_id": webhook_id})
    return None if found is None else from_document(WebhookMessage, found)
