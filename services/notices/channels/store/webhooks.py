"""Webhooks of client apps, and the messages that wait for them."""

from collections.abc import Mapping, Sequence
from typing import Any

from pymongo import ASCENDING, IndexModel

from services.notices.channels.rules.webhooks import Webhook, WebhookMessage
from services.notices.channels.store.deliveries import claim_next as take
from shared.declared_indexes import Indexes, sharded_by
from shared.mongo import Database, from_document
from shared.personal_data import Personal
from shared.repository import Repository
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

_WEBHOOKS = Repository(Webhook, WEBHOOKS)
get = _WEBHOOKS.get
save = _WEBHOOKS.put
find_one = _WEBHOOKS.find

_MESSAGES = Repository(WebhookMessage, MESSAGES)
get_message = _MESSAGES.get
some_messages = _MESSAGES.some
save_messages = _MESSAGES.put
delete_of_patron = _MESSAGES.delete_of


def all_webhooks(work: Work) -> list[Webhook]:
    """Return all webhooks."""
    return work.all(Webhook, WEBHOOKS, {})


def wanting(work: Work, kinds: Sequence[str]) -> list[Webhook]:
    """Return the enabled webhooks that get messages about notifications of one of these kinds."""
    return work.all(Webhook, WEBHOOKS, {"topics": {"$in": list(kinds)}, "state": "enabled"})


def delete(work: Work, webhook_id: str) -> None:
    """Delete a webhook and its messages."""
    work.delete(WEBHOOKS, {"_id": webhook_id})
    work.delete(MESSAGES, {"webhook_id": webhook_id})


async def find_all(db: Database) -> list[Webhook]:
    """Return all webhooks, the oldest first."""
    found = db[WEBHOOKS].find().sort("_id", ASCENDING)
    return [from_document(Webhook, document) async for document in found]


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
