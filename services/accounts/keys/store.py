"""Collection of the keys that sign tokens."""

from datetime import datetime

from pymongo import ASCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from services.accounts.keys.rules import SigningKey
from shared import reading
from shared.declared_indexes import Indexes
from shared.mongo import Database, from_document, to_document
from shared.unit_of_work import Work

INDEXES: Indexes = {
    "signing_keys": [
        IndexModel([("kid", ASCENDING)], unique=True),
        IndexModel([("published_until", ASCENDING)], expireAfterSeconds=0),
    ],
}


# ---- signing keys -------------------------------------------------------------------------------


def signing_key(work: Work) -> SigningKey | None:
    """Return the key that signs; None before the first login."""
    return work.find(SigningKey, "signing_keys", {"published_until": None})


def replace_key(work: Work, retired: SigningKey | None, new: SigningKey) -> None:
    """Replace the signing key. On concurrent replacements one transaction is retried."""
    if retired is not None:
        work.save("signing_keys", retired)
    work.add("signing_keys", new)


def replace_all_keys(work: Work, new: SigningKey) -> None:
    """Delete all keys and insert one. On concurrent replacements one transaction is retried."""
    work.delete("signing_keys", {})
    work.add("signing_keys", new)


async def find_signing_key(db: Database) -> SigningKey | None:
    """Return the same as `signing_key`, read outside any transaction."""
    return await reading.first(db, SigningKey, "signing_keys", {"published_until": None})


async def offer_first_key(db: Database, key: SigningKey) -> None:
    """Insert `key` as the first one, unless another replica has inserted one."""
    try:
        await db.signing_keys.insert_one(to_document(key))
    except DuplicateKeyError:
        return


async def published_keys(db: Database, now: datetime) -> list[SigningKey]:
    """Return the public half of every key that may have signed a token still valid at `now`."""
    cursor = db.signing_keys.find(
        {"$or": [{"published_until": None}, {"published_until": {"$gt": now}}]},
        {"private": 0, "sealed": 0},
    )
    return [from_document(SigningKey, document) async for document in cursor]
