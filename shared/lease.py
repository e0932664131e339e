"""A lease in the database: only the process that holds it does the work."""

from pymongo import ReturnDocument

from shared.mongo import Database, Document


async def hold_lease(database: Database, name: str, holder: str, seconds: int) -> bool:
    """Take or renew a lease for `seconds` by the database's clock; return whether `holder` has it.

    It keeps others from doing the same work; it does not fence.
    """
    # No `until` sorts before every date, so a lease that nobody has taken yet is free too.
    free = {"$or": [{"$lt": ["$until", "$$NOW"]}, {"$eq": ["$holder", holder]}]}
    until = {"$dateAdd": {"startDate": "$$NOW", "unit": "second", "amount": seconds}}
    taken = {"holder": holder, "until": until}
    # The database writes nothing where the fields stay as they are.
    taking: list[Document] = [
        {"$set": {field: {"$cond": [free, value, f"${field}"]} for field, value in taken.items()}}
    ]
    lease = await database.leases.find_one_and_update(
        {"_id": name}, taking, upsert=True, return_document=ReturnDocument.AFTER
    )
    return bool(lease["holder"] == holder)


async def give_up_lease(database: Database, name: str, holder: str) -> None:
    """Release a lease so that another process can take it at once."""
    await database.leases.delete_one({"_id": name, "holder": holder})
