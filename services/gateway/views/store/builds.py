"""Create, finish and drop builds: complete views beside those that are served."""

from collections.abc import Mapping

from pymongo import UpdateOne

from services.gateway.views.store.schema import (
    BUCKETS,
    BUILDS,
    FORM,
    SESSIONS,
    VIEWS,
    WHOLE,
    Building,
)
from shared.clock import wall_clock
from shared.mongo import Database, ensure_indexes


class BuildLost(Exception):
    """Another process has dropped this build, or the whole database is gone."""


async def form(database: Database) -> int | None:
    """Return the format of the views; None if they are not complete."""
    found = await database.account_views.find_one({"_id": WHOLE})
    return None if found is None else int(found.get("form", 1))


async def begin_build(database: Database, build: str) -> Building:
    """Create new, empty views next to those that are served; drop unfinished builds."""
    await _drop(database, BUILDS)
    building = Building(database, build)
    views = {f"{building.prefix}{name}": models for name, models in VIEWS.items()}
    # The whole database may have been lost together with the views.
    await ensure_indexes(database, {**views, **BUCKETS, **SESSIONS})
    await building["account_views"].insert_one(
        {"_id": WHOLE, "begun": wall_clock(), "since": None, "form": FORM}
    )
    return building


async def finish_build(building: Building) -> None:
    """Replace the served views with the built ones, the accounts last. Raises BuildLost."""
    finished = await building["account_views"].update_one(
        {"_id": WHOLE}, {"$set": {"since": wall_clock()}}
    )
    if not finished.matched_count:
        raise BuildLost
    for name in sorted(VIEWS, key=lambda name: name == "account_views"):
        await building[name].rename(name, dropTarget=True)


async def note_restored(database: Database, offsets: Mapping[str, int]) -> None:
    """Store the offsets, by topic/partition, before which builds read no events.

    After a restore, earlier events may report changes that the owners no longer have.
    """
    writes = [
        UpdateOne({"_id": place}, {"$set": {"offset": offset}}, upsert=True)
        for place, offset in offsets.items()
    ]
    await database.restored.bulk_write(writes, ordered=False)


async def restored_offsets(database: Database) -> dict[str, int]:
    """Return the offsets that `note_restored` stored."""
    return {row["_id"]: row["offset"] async for row in database.restored.find({})}


async def drop_build(database: Database, build: str) -> None:
    """Drop the remains of a build."""
    await _drop(database, Building(database, build).prefix)


async def _drop(database: Database, prefix: str) -> None:
    for name in await database.list_collection_names():
        if name.startswith(prefix):
            await database.drop_collection(name)
