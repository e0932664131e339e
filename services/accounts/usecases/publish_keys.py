"""Publish the keys by which anyone can verify a token."""

from datetime import datetime

from services.accounts import store
from services.accounts.usecases.sign_token import current_key
from shared.mongo import Database


async def public_keys(db: Database, now: datetime) -> dict[str, list[dict[str, str]]]:
    """The JWK set: the key that signs (made if there is none yet) and those before it whose tokens
    may still be valid at `now`, by the wall clock.
    """
    await current_key(db)
    return {"keys": [key.public for key in await store.published_keys(db, now)]}
