"""Stored search terms of earlier releases."""

from pymongo import UpdateOne

from shared.declared_indexes import Indexes
from shared.mongo import Database
from shared.search_form import search_form

INDEXES: Indexes = {"folded_terms": []}
"""One document for each collection whose stored terms all have today's form."""

_AT_ONCE = 500
_FORM = 2
"""Number of today's form; a collection whose terms have another one is folded anew."""


async def fold_terms(db: Database, collection: str) -> int:
    """Give the stored `terms` of a collection today's form; return the number of changed documents.

    Documents of earlier releases have terms that no search finds any more. The first complete walk
    is noted, so that later calls make one read. A document that changes meanwhile has been written
    with today's form.
    """
    if await db["folded_terms"].find_one({"_id": collection, "form": _FORM}):
        return 0
    changed, last = 0, None
    while True:
        query = {"terms": {"$exists": True}} | ({"_id": {"$gt": last}} if last else {})
        found = await db[collection].find(query, {"terms": 1}).sort("_id", 1).to_list(_AT_ONCE)
        updates = [
            UpdateOne({"_id": document["_id"], "terms": terms}, {"$set": {"terms": folded}})
            for document in found
            if (folded := _folded(terms := document["terms"])) != terms
        ]
        if updates:
            changed += (await db[collection].bulk_write(updates, ordered=False)).modified_count
        if len(found) < _AT_ONCE:
            break
        last = found[-1]["_id"]
    await db["folded_terms"].update_one({"_id": collection}, {"$set": {"form": _FORM}}, upsert=True)
    return changed


def _folded(terms: list[str]) -> list[str]:
    return list(dict.fromkeys(search_form(term) for term in terms))
