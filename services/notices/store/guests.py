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


def get(work: Work, guest_id: str) -> Guest | None:
    """Return a guest, or None."""
    return work.find(Guest, GUESTS, {"_id": guest_id})


def save(work: Work, guest: Guest) -> None:
    """Save the next version of a guest; version 1 is a new one."""
    if guest.version == 1:
        work.add(GUESTS, guest)
    else:
        work.save(GUESTS, guest)


def delete(work: Work, guest_id: str) -> None:
    """Delete a guest."""
    work.delete(GUESTS, {"_id": guest_id})


def get_mailbox(work: Work, mailbox_id: str) -> Mailbox | None:
    """Return a mailbox, or None."""
    return work.find(Mailbox, MAILBOXES, {"_id": mailbox_id})


def save_mailbox(work: Work, mailbox: Mailbox) -> None:
    """Save the next version of a mailbox; version 1 is a new one."""
    if mailbox.version == 1:
        work.add(MAILBOXES, mailbox)
    else:
        work.save(MAILBOXES, mailbox)


async def find_one(db: Database, guest_id: str) -> Guest | None:
    """Return a guest, or None."""
    found = await db[GUESTS].find_one({"_id": guest_id})
    return None if found is None else from_document(Guest, found)


async def find_unconfirmed(db: Database, asked_until: datetime) -> list[str]:
    """Return the ids of guests who asked until an instant and have not confirmed."""
    query = {"question": {"$ne": None}, "asked_at": {"$lte": asked_until}}
    return [one["_id"] async for one in db[GUESTS].find(query, {"_id": 1})]
