"""Addresses that are kept for the alerts which are sent there."""

from datetime import datetime

from pymongo import ASCENDING, IndexModel

from services.accounts.domain.alert import KeptAddress
from services.accounts.domain.new_address import MOST_TRIES
from shared.mongo import Database, Indexes, from_document, sharded_by
from shared.unit_of_work import Work

INDEXES: Indexes = {
    "kept_addresses": sharded_by(
        "_id",
        [
            IndexModel([("patron_id", ASCENDING)]),
            IndexModel([("expires_at", ASCENDING)], expireAfterSeconds=0),
        ],
    ),
}


def keep(work: Work, kept: KeptAddress) -> None:
    """Store the address of an alert."""
    work.add("kept_addresses", kept)


async def find_one(db: Database, alert_id: str, patron_id: str, at: datetime) -> KeptAddress | None:
    """Return the address of an alert of a patron, while it is kept."""
    query = {"_id": alert_id, "patron_id": patron_id, "expires_at": {"$gt": at}}
    found = await db.kept_addresses.find_one(query)
    return None if found is None else from_document(KeptAddress, found)


async def take_try(db: Database, patron_id: str, at: datetime) -> bool:
    """Count a try to confirm a patron's new address; return whether there is one to be confirmed.

    One atomic write, so that all replicas together admit MOST_TRIES.
    """
    live = {
        "_id": patron_id,
        "new_address.tries": {"$lt": MOST_TRIES},
        "new_address.expires_at": {"$gt": at},
    }
    change = {"$inc": {"new_address.tries": 1, "version": 1}}
    return (await db.cardholders.update_one(live, change)).modified_count == 1
