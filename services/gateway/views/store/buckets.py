"""Buckets of requests, which all replicas share, for the rate limits of the edge."""

from pymongo import ReturnDocument
from pymongo.write_concern import WriteConcern

from shared.mongo import Database


async def lend(db: Database, whose: str, wanted: int, per_minute: int) -> int:
    """Draw up to `wanted` requests from a caller's bucket; return how many there were.

    A bucket holds `per_minute` requests and fills at that pace, by the database's clock. A draw
    need not outlive a failover, so it does not wait for a majority.
    """
    passed = {"$subtract": ["$$NOW", {"$ifNull": ["$at", "$$NOW"]}]}
    filled = {"$multiply": [passed, per_minute / 60_000]}
    held = {"$min": [per_minute, {"$add": [{"$ifNull": ["$held", per_minute]}, filled]}]}
    drawn = {"$min": [wanted, {"$floor": "$held"}]}
    buckets = db.get_collection("buckets", write_concern=WriteConcern(w=1))
    bucket = await buckets.find_one_and_update(
        {"_id": whose},
        [
            {"$set": {"held": held, "at": "$$NOW"}},
            {"$set": {"drawn": drawn}},
            {"$set": {"held": {"$subtract": ["$held", "$drawn"]}}},
        ],
        upsert=True,
        return_document=ReturnDocument.AFTER,
    )
    return int(bucket["drawn"])
