"""Counts of what the database examines for the services."""

from collections.abc import Awaitable
from typing import TypeVar

from shared.mongo import Database

V = TypeVar("V")

KEPT_BYTES = 32 * 1024**2
"""Bytes of profile kept of each database: several times what a test needs."""


async def examined(done: Awaitable[V], *databases: Database) -> tuple[V, int]:
    """Return a result, and how many documents and index keys were examined meanwhile.

    Counts what the services ask of these databases. The server's own counters would also have what
    it does itself, such as noting every five minutes which sessions are in use.
    """
    for database in databases:
        await database.create_collection("system.profile", capped=True, size=KEPT_BYTES)
        await database.command("profile", 2)
    try:
        result = await done
    finally:
        for database in databases:
            await database.command("profile", 0)
    total = 0
    for database in databases:
        # Each service looks for the keys of tokens by the clock, whatever a test does.
        asked = {"appName": "carrel", "ns": {"$ne": f"{database.name}.known_keys"}}
        async for entry in database.system.profile.find(asked):
            total += entry.get("keysExamined", 0) + entry.get("docsExamined", 0)
        await database.system.profile.drop()
    assert total, "the profile has no request of a service"
    return result, total
