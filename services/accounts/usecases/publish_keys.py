"""Publish the keys with which tokens can be verified."""

from datetime import datetime

from services.accounts import store
from services.accounts.usecases.sign_token import current_key
from shared.mongo import Database


async def public_keys(db: Database, now: datetime, secrets: str) -> dict[str, list[dict[str, str]]]:
    """Return the JWK set of keys that verify tokens.

    It has the signing key, created if there is none yet, and the former keys whose tokens may still
    be valid at `now` by the wall clock. `secrets` seal a key that is created.
    """
    await current_key(db, secrets)
    return {"keys": [key.public for key in await store.published_keys(db, now)]}
