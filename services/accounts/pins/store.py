"""Requests for a new PIN, whose codes are stored nowhere."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime

from pymongo import ASCENDING, IndexModel, ReturnDocument

from services.accounts.pins.rules import MOST_TRIES, PinReset, is_live
from shared.declared_indexes import Indexes, sharded_by
from shared.mongo import Database, Document, from_document
from shared.personal_data import Personal
from shared.repository import Repository
from shared.unit_of_work import Work

INDEXES: Indexes = {
    "pin_resets": sharded_by(
        "_id",
        [
            IndexModel([("state", ASCENDING)]),
            IndexModel([("card_digest", ASCENDING)]),
            IndexModel([("expires_at", ASCENDING)], expireAfterSeconds=0),
        ],
    ),
}
PERSONAL = (Personal("pin_resets", leave_out=("card_digest",)),)

_PIN_RESETS = Repository(PinReset, "pin_resets")
get = _PIN_RESETS.get
save = _PIN_RESETS.put
find_one = _PIN_RESETS.find


def resets_of(card_digest: str) -> str:
    """Return the id under which the requests for a card are counted among the attempts."""
    return f"pin-reset {card_digest}"


def change_digest(work: Work, former: str, digest: str) -> None:
    """Give the requests for a card its new digest."""
    for reset in work.all(PinReset, "pin_resets", {"card_digest": former}):
        work.save("pin_resets", replace(reset, card_digest=digest, version=reset.version + 1))


def delete_of_card(work: Work, card_digest: str, *, but: str = "") -> None:
    """Delete the requests for a card, because its holder has a new PIN, except one."""
    work.delete("pin_resets", {"card_digest": card_digest, "_id": {"$ne": but}})


def delete_of_patron(work: Work, patron_id: str, card_digest: str) -> None:
    """Delete the requests for the card of a patron who is erased, and those with their id."""
    work.delete("pin_resets", {"card_digest": card_digest})
    work.delete("pin_resets", {"patron_id": patron_id})


async def take_try(db: Database, reset_id: str, now: datetime) -> PinReset | None:
    """Count a try to enter a code; return the request, or None if the code is dead or was not sent.

    One atomic write, so that all replicas together admit MOST_TRIES.
    """
    live = {"_id": reset_id, "tries": {"$lt": MOST_TRIES}, "expires_at": {"$gt": now}}
    change = {"$inc": {"tries": 1, "version": 1}}
    sent = {"state": {"$in": ["sent", "used"]}}
    found: Document | None = await db.pin_resets.find_one_and_update(
        live | sent, change, return_document=ReturnDocument.AFTER
    )
    return None if found is None else from_document(PinReset, found)


async def find_live(db: Database, reset_id: str, at: datetime) -> PinReset | None:
    """Return a request whose code can be sent and used at `at`, or None."""
    reset = await find_one(db, reset_id)
    return reset if reset is not None and is_live(reset, at) else None


async def find_requested(db: Database) -> AsyncIterator[str]:
    """Yield the ids of requests that the job has still to look at."""
    async for found in db.pin_resets.find({"state": "requested"}, {"_id": 1}):
        yield found["_id"]
