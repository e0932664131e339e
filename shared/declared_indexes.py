"""Declarations of collections with their indexes, and the creation of what is missing."""

import asyncio
from collections.abc import Mapping, Sequence

from pymongo import IndexModel
from pymongo.errors import OperationFailure

from shared.mongo import Database

Indexes = Mapping[str, Sequence[IndexModel]]
"""Collection name → its indexes; a collection without any is listed with an empty sequence."""


class Sharded(list[IndexModel]):
    """The indexes of a collection that may be distributed over shards, by the field `by`."""

    by: str


def sharded_by(field: str, indexes: Sequence[IndexModel]) -> Sharded:
    """Declare that a collection that grows with the number of patrons can be sharded by a field.

    Each of its unique indexes begins with that field, otherwise it could not hold over all shards.
    """
    found = Sharded(indexes)
    found.by = field
    return found


class Replacing(list[IndexModel]):
    """The indexes of a collection, with the names of those of earlier releases to drop."""

    replaced: tuple[str, ...]


def replacing(names: tuple[str, ...], indexes: Sequence[IndexModel]) -> Replacing:
    """Declare indexes that take the place of others, which would refuse what is right now."""
    found = Replacing(indexes)
    found.replaced = names
    return found


_NAMESPACE_EXISTS = 48
_NO_INDEX = 27
_OTHER_OPTIONS = 85
"""Error code: an index with this name or these keys exists with other options."""


async def ensure_indexes(database: Database, indexes: Indexes) -> None:
    """Create the missing collections and indexes. Safe to run from many replicas.

    A changed expiry (`expireAfterSeconds`) is updated; the database refuses an index that differs
    in anything else. Indexes that others replace are dropped after those are there.
    """
    existing = set(await database.list_collection_names())
    await asyncio.gather(
        *(
            _ensure(database, name, models) if models else _create(database, name)
            for name, models in indexes.items()
            if models or name not in existing
        )
    )


async def _ensure(database: Database, name: str, models: Sequence[IndexModel]) -> None:
    try:
        await database[name].create_indexes(list(models))
    except OperationFailure as error:
        if error.code != _OTHER_OPTIONS:
            raise
        present = await database[name].index_information()
        for index in (dict(model.document) for model in models):
            seconds = index.get("expireAfterSeconds")
            before = present.get(index["name"], {}).get("expireAfterSeconds")
            if seconds is not None and before not in (None, seconds):
                change = {"name": index["name"], "expireAfterSeconds": seconds}
                await database.command({"collMod": name, "index": change})
        await database[name].create_indexes(list(models))
    for replaced in models.replaced if isinstance(models, Replacing) else ():
        try:
            await database[name].drop_index(replaced)
        except OperationFailure as error:
            if error.code != _NO_INDEX:  # another replica, or an earlier start, dropped it
                raise


async def _create(database: Database, name: str) -> None:
    """Create a collection in advance: creating it inside a transaction would take a lock."""
    try:
        # The client's own look at what exists would race with another replica.
        await database.create_collection(name, check_exists=False)
    except OperationFailure as error:
        if error.code != _NAMESPACE_EXISTS:  # another replica made it
            raise
