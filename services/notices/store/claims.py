"""Claims of what waits to be sent: one write that no other process can make as well."""

from collections.abc import Mapping, Sequence
from typing import Any

from pymongo import ASCENDING, ReturnDocument

from shared.mongo import Database, Document


async def claim(
    db: Database,
    collection: str,
    seconds: int,
    where: Mapping[str, Any] | None = None,
    first: Sequence[tuple[str, int]] = (),
) -> Document | None:
    """Take the document that has waited longest for its try; None if none is due.

    `first` sorts before the time that it has waited.

    One write by the database's clock, outside any transaction, as with a lease: no other process
    gets the document within `seconds`.
    """
    due = {"state": "waiting", **(where or {}), "$expr": {"$lte": ["$next_at", "$$NOW"]}}
    until = {"$dateAdd": {"startDate": "$$NOW", "unit": "second", "amount": seconds}}
    taking: list[dict[str, Any]] = [
        {
            "$set": {
                "next_at": until,
                "tries": {"$add": ["$tries", 1]},
                "version": {"$add": ["$version", 1]},
            }
        }
    ]
    found: Document | None = await db[collection].find_one_and_update(
        due, taking, sort=[*first, ("next_at", ASCENDING)], return_document=ReturnDocument.AFTER
    )
    return found
