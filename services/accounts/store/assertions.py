"""Assertions of services that were accepted, until they expire: each is accepted once."""

from datetime import timedelta

from pymongo import ASCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from shared.assertions import Proof
from shared.mongo import Database, Indexes

INDEXES: Indexes = {
    "assertions": [IndexModel([("expires_at", ASCENDING)], expireAfterSeconds=0)],
}

MARGIN = timedelta(minutes=5)
"""Time by which the clocks of the database and of a replica may differ."""


async def use(db: Database, proof: Proof) -> bool:
    """Store that an assertion was used; return False if it was used before."""
    used = {"_id": f"{proof.service} {proof.id}", "expires_at": proof.expires_at + MARGIN}
    try:
        await db.assertions.insert_one(used)
    except DuplicateKeyError:
        return False
    return True
