"""What the payment provider's double remembers, in place of a provider's own books."""

from typing import Any

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from shared.mongo import Database, Document, Indexes

INDEXES: Indexes = {"double_books": [], "double_orders": []}


async def record(db: Database, reference: str, facts: dict[str, Any]) -> Document:
    """What is in the books under a reference, with `facts` added if they are new."""
    new = {name: {"$ifNull": [f"${name}", value]} for name, value in facts.items()}
    while True:
        try:
            found: Document | None = await db.double_books.find_one_and_update(
                {"_id": reference},
                [{"$set": new}],
                upsert=True,
                return_document=ReturnDocument.AFTER,
            )
        except DuplicateKeyError:
            continue  # another call made the document in this moment
        return found or {}


async def look_up(db: Database, reference: str) -> Document:
    """What is in the books under a reference."""
    return await db.double_books.find_one({"_id": reference}) or {}


async def next_order(db: Database, call: str) -> str:
    """What a test has ordered the double to do at the next `call`; each order is obeyed once."""
    order = await db.double_orders.find_one_and_delete({"call": call}, sort=[("_id", 1)])
    return str(order["do"]) if order else ""
