"""Assertions of services that were accepted, until they expire: each is accepted once."""

from datetime import timedelta

from pymongo import ASCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from shared.assertions import Proof
from shared.ids import new_id
from shared.mongo import Database, Indexes, sharded_by

INDEXES: Indexes = {
    "assertions": sharded_by(
        "_id", [IndexModel([("expires_at", ASCENDING)], expireAfterSeconds=0)]
    ),
}

MARGIN = timedelta(minutes=5)
"""Time by which the clocks of the database and of a replica may differ."""


async def use(db: Database, proof: Proof) -> bool:
    """Store that an assertion was used; return False if it was used before."""
    used = {
        "_id": f"{proof.service} {proof.id}",
        "attempt": new_id(),
        "expires_at": proof.expires_at + MARGIN,
    }
    try:
        await db.assertions.insert_one(used)
    except DuplicateKeyError:  # used before, or the answer to our own first insert was lost
        found = await db.assertions.find_one({"_id": used["_id"]}, {"attempt": 1})
        return found is not None and found["attempt"] == used["attempt"]
    return True
