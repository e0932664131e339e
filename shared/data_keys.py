"""Keys that stored data was made with: a process that has another one does not start.

With a wrong key nothing stored would be found: people would be told that their PIN is wrong.
"""

import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from pymongo.errors import DuplicateKeyError

from shared.keys import each_of, fingerprint
from shared.mongo import Database

FINGERPRINTS = "key_fingerprints"
Matching = Callable[[Database], Awaitable[str | None]]


async def _nothing_to_compare(_: Database) -> str | None:
    return None


@dataclass(frozen=True)
class DataKey:
    """A setting with the key that a service's data was made with, or with two while it changes."""

    variable: str
    keys: str = field(repr=False)
    matching: Matching = _nothing_to_compare
    """Returns which of the keys stored data was made with, "" if none; None: nothing tells."""


async def fault_of(database: Database, key: DataKey) -> str | None:
    """Return why nothing can be done with these keys; None if data was made with one of them."""
    made_with = await _made_with(database, key)
    each = [fingerprint(one) for one in each_of(key.keys)]
    if made_with is None or made_with in each or not each:
        return None
    return (
        f"{key.variable} is not the key that the data of {database.name} was made with. Set that "
        "one, or while it is replaced both, as in new,old: see How to replace them in "
        "docs/security.md."
    )


async def note_accepted(database: Database, key: DataKey) -> None:
    """Note the keys with which a process starts; the first one, which data is made with."""
    each = [fingerprint(one) for one in each_of(key.keys)]
    if not each:
        return
    made_with = await _made_with(database, key)
    change = {"$set": {"accepted": each}, "$setOnInsert": {"made_with": made_with or each[0]}}
    with contextlib.suppress(DuplicateKeyError):  # another process notes the same at this moment
        await database[FINGERPRINTS].update_one({"_id": key.variable}, change, upsert=True)


async def accepts(database: Database, variable: str, key: str) -> bool:
    """Return whether the process that started last accepts a key."""
    known = await _noted(database, variable)
    return known is not None and fingerprint(key) in known.get("accepted", ())


async def note_made_with(database: Database, variable: str, key: str) -> None:
    """Note that all data is made with this key now."""
    change = {"$set": {"made_with": fingerprint(key)}}
    await database[FINGERPRINTS].update_one({"_id": variable}, change, upsert=True)


async def _made_with(database: Database, key: DataKey) -> str | None:
    """Return the fingerprint of the key that data was made with, "" for another; None: no data."""
    known = await _noted(database, key.variable)
    if known is not None:
        return str(known["made_with"])
    made_with = await key.matching(database)
    return fingerprint(made_with) if made_with else made_with


async def _noted(database: Database, variable: str) -> dict[str, Any] | None:
    return await database[FINGERPRINTS].find_one({"_id": variable})
