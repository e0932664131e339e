"""Devices of patrons that show notifications, and the messages that wait for them."""

from collections.abc import Sequence
from typing import Any

from pymongo import ASCENDING, IndexModel

from services.notices.channels.rules.devices import PushMessage, PushSubscription
from services.notices.channels.store.deliveries import claim_next as take
from shared.declared_indexes import Indexes, sharded_by
from shared.mongo import Database, from_document
from shared.personal_data import Personal
from shared.repository import Repository
from shared.unit_of_work import Work

SUBSCRIPTIONS = "push_subscriptions"
MESSAGES = "push_messages"
LEASE_SECONDS = 60
"""Time for one try. After it another process repeats the try, because the first may be dead."""
KEPT_DAYS = 30
MOST_SERVICES = 20
"""Number of push services that one look finds."""

INDEXES: Indexes = {
    SUBSCRIPTIONS: sharded_by(
        "slot",
        [
            IndexModel([("slot", ASCENDING)], unique=True),
            IndexModel([("patron_id", ASCENDING)]),
        ],
    ),
    MESSAGES: sharded_by(
        "_id",
        [
            IndexModel([("state", ASCENDING), ("service", ASCENDING), ("next_at", ASCENDING)]),
            IndexModel([("subscription_id", ASCENDING)]),
            IndexModel([("patron_id", ASCENDING)]),
            IndexModel([("queued_at", ASCENDING)], expireAfterSeconds=KEPT_DAYS * 24 * 3600),
        ],
    ),
}
PERSONAL = (
    Personal(SUBSCRIPTIONS, leave_out=("slot", "public_key", "auth")),
    Personal(MESSAGES),
)

_SUBSCRIPTIONS = Repository(PushSubscription, SUBSCRIPTIONS)
get = _SUBSCRIPTIONS.get
save = _SUBSCRIPTIONS.put
find_one = _SUBSCRIPTIONS.find

_MESSAGES = Repository(PushMessage, MESSAGES)
get_message = _MESSAGES.get
some_messages = _MESSAGES.some
save_messages = _MESSAGES.put


def of_patrons(work: Work, patron_ids: Sequence[str]) -> list[PushSubscription]:
    """Return the devices of these patrons."""
    return work.all(PushSubscription, SUBSCRIPTIONS, {"patron_id": {"$in": list(patron_ids)}})


def delete(work: Work, subscription_id: str) -> None:
    """Delete a device and its messages."""
    work.delete(SUBSCRIPTIONS, {"_id": subscription_id})
    work.delete(MESSAGES, {"subscription_id": subscription_id})


def delete_of_patron(work: Work, patron_id: str) -> None:
    """Delete all devices of a patron with their messages."""
    work.delete(SUBSCRIPTIONS, {"patron_id": patron_id})
    work.delete(MESSAGES, {"patron_id": patron_id})


async def find_of_patron(db: Database, patron_id: str) -> list[PushSubscription]:
    """Return the devices of a patron, the one added first at the beginning."""
    found = db[SUBSCRIPTIONS].find({"patron_id": patron_id}).sort("created_at", ASCENDING)
    return [from_document(PushSubscription, document) async for document in found]


async def find_due(db: Database) -> list[str]:
    """Return some push services that have a message to be tried now, in no order.

    A browser may name any host as its push service; however many are slow, the others get a turn.
    """
    finding: list[dict[str, Any]] = [
        {"$match": {"state": "waiting", "$expr": {"$lte": ["$next_at", "$$NOW"]}}},
        {"$group": {"_id": "$service"}},
        {"$sample": {"size": MOST_SERVICES}},
    ]
    return [str(row["_id"]) async for row in db[MESSAGES].aggregate(finding)]


async def claim(db: Database, service: str) -> PushMessage | None:
    """Take the message by a push service that has waited longest; None if none is due."""
    found = await take(db, MESSAGES, LEASE_SECONDS, {"service": service})
    return None if found is None else from_document(PushMessage, found)
