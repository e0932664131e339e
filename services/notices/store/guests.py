"""Guests with their sealed addresses, and the mailboxes that got e-mails to confirm lately.

The database deletes questions that were not confirmed by itself, in case the job `purge-guests`
does not run.
"""

from datetime import datetime

from pymongo import ASCENDING, IndexModel

from services.notices.domain.guest import CONFIRM_WITHIN, Guest, Mailbox
from shared.mongo import Database, Indexes, from_document, sharded_by
from shared.unit_of_work import Work

GUESTS = "guests"
MAILBOXES = "guest_mailboxes"

INDEXES: Indexes = {
    GUESTS: sharded_by(
        "_id",
        [
            IndexModel([("expires_at", ASCENDING)], expireAfterSeconds=0),
            IndexModel([("asked_at", ASCENDING)]),
        ],
    ),
    MAILBOXES: sharded_by(
        "_id",
        [
            IndexModel(
                [("recorded_at", ASCENDING)], expireAfterSeconds=int(CONFIRM_WITHIN.total_seconds())
            )
        ],
    ),
}


async def get(work: Work, guest_id: str) -> Guest | None:
    """Return a guest, or None."""
    return await work.find(Guest, GUESTS, {"_id": guest_id})


async def save(work: Work, guest: Guest) -> None:
    """Save the next version of a guest; version 1 is a new one."""
    if guest.version == 1:
        await work.add(GUESTS, guest)
    else:
        await work.save(GUESTS, guest)


async def delete(work: Work, guest_id: str) -> None:
    """Delete a guest."""
    await work.delete(GUESTS, {"_id": guest_id})


async def get_mailbox(work: Work, mailbox_id: str) -> Mailbox | None:
    """Return a mailbox, or None."""
    return await work.find(Mailbox, MAILBOXES, {"_id": mailbox_id})


async def save_mailbox(work: Work, mailbox: Mailbox) -> None:
    """Save the next version of a mailbox; version 1 is a new one."""
    if mailbox.version == 1:
        await work.add(MAILBOXES, mailbox)
    else:
        await work.save(MAILBOXES, mailbox)


async def find_one(db: Database, guest_id: str) -> Guest | None:
    """Return a guest, or None."""
    found = await db[GUESTS].find_one({"_id": guest_id})
    return None if found is None else from_document(Guest, found)


async def find_unconfirmed(db: Database, asked_until: datetime) -> list[str]:
    """Return the ids of guests who asked until an instant and have not confirmed."""
    query = {"question": {"$ne": None}, "asked_at": {"$lte": asked_until}}
    return [one["_id"] async for one in db[GUESTS].find(query, {"_id": 1})]
