"""The mark of a database into which a backup is being written: no service starts on it."""

from shared.mongo import Database

RESTORING = "restoring"


async def is_restoring(database: Database) -> bool:
    """Return whether a restore into this database has not ended yet."""
    return await database[RESTORING].find_one({}) is not None
