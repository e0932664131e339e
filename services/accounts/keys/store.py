"""Collections of the keys that sign tokens: access tokens, and what other systems get."""

from datetime import datetime

from pymongo import ASCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from services.accounts.keys.rules import SigningKey
from shared import reading
from shared.declared_indexes import Indexes
from shared.mongo import Database, from_document, to_document
from shared.unit_of_work import Work

ACCESS = "signing_keys"
"""Keys of access tokens, which the services verify."""
OPENID = "openid_keys"
"""Keys of ID tokens and log-out tokens, which clients of OpenID Connect verify."""
INDEXES: Indexes = {
    of: [
        IndexModel([("kid", ASCENDING)], unique=True),
        IndexModel([("published_until", ASCENDING)], expireAfterSeconds=0),
    ]
    for of in (ACCESS, OPENID)
}


# ---- signing keys -------------------------------------------------------------------------------


def signing_key(work: Work, of: str) -> SigningKey | None:
    """Return the key that signs; None before the first token."""
    return work.find(SigningKey, of, {"published_until": None})


def replace_key(work: Work, retired: SigningKey | None, new: SigningKey, of: str) -> None:
    """Replace the signing key. On concurrent replacements one transaction is retried."""
    if retired is not None:
        work.save(of, retired)
    work.add(of, new)


def replace_all_keys(work: Work, new: SigningKey, of: str) -> None:
    """Delete all keys and insert one. On concurrent replacements one transaction is retried."""
    work.delete(of, {})
    work.add(of, new)


async def find_signing_key(db: Database, of: str) -> SigningKey | None:
    """Return the same as `signing_key`, read outside any transaction."""
    return await reading.first(db, SigningKey, of, {"published_until": None})


async def offer_first_key(db: Database, key: SigningKey, of: str) -> None:
    """Insert `key` as the first one, unless another replica has inserted one."""
    try:
        await db[of].insert_one(to_document(key))
    except DuplicateKeyError:
        return


async def published_keys(db: Database, now: datetime, of: str) -> list[SigningKey]:
    """Return the public half of every key that may have signed a token still valid at `now`."""
    cursor = db[of].find(
        {"$or": [{"published_until": None}, {"published_until": {"$gt": now}}]},
        {"private": 0, "sealed": 0},
    )
    return [from_document(SigningKey, document) async for document in cursor]
