"""Records of the payment provider's test double, in place of a real provider's."""

from typing import Any

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from shared.mongo import Database, Document, Indexes

INDEXES: Indexes = {"double_books": [], "double_orders": []}


async def record(db: Database, reference: str, facts: dict[str, Any]) -> Document:
    """Add those of `facts` that are new to the record of a reference; return the record."""
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
            continue  # a concurrent call inserted the document
        return found or {}


async def look_up(db: Database, reference: str) -> Document:
    """Return the record of a reference; empty if there is none."""
    return await db.double_books.find_one({"_id": reference}) or {}


async def next_order(db: Database, call: str) -> str:
    """Remove and return a test's order for the next `call`; an empty string if there is none."""
    order = await db.double_orders.find_one_and_delete({"call": call}, sort=[("_id", 1)])
    return str(order["do"]) if order else ""
