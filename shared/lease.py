"""A lease in the database: only the process that holds it does the work."""

from datetime import UTC, datetime

from pymongo.errors import DuplicateKeyError

from shared.mongo import Database, Document

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


async def hold_lease(database: Database, name: str, holder: str, seconds: int) -> bool:
    """Take or renew a lease for `seconds` by the database's clock; return whether `holder` has it.

    It keeps others from doing the same work; it does not fence.
    """
    until = {"$dateAdd": {"startDate": "$$NOW", "unit": "second", "amount": seconds}}
    free = {"$or": [{"$lt": ["$until", "$$NOW"]}, {"$eq": ["$holder", holder]}]}
    taking: list[Document] = [{"$set": {"holder": holder, "until": until}}]
    if await database.leases.find_one_and_update({"_id": name, "$expr": free}, taking):
        return True
    try:
        # An upsert whose filter has $expr is refused, so the document is seeded.
        await database.leases.insert_one({"_id": name, "holder": "", "until": _LONG_AGO})
    except DuplicateKeyError:
        return False  # another has it
    return bool(await database.leases.find_one_and_update({"_id": name, "$expr": free}, taking))


async def give_up_lease(database: Database, name: str, holder: str) -> None:
    """Release a lease so that another process can take it at once."""
    await database.leases.delete_one({"_id": name, "holder": holder})
