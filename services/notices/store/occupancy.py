"""The occupancy of each branch, and the venue codes on the posters at its doors."""

from datetime import datetime
from typing import Any

from pymongo import ASCENDING, IndexModel

from services.notices.domain.occupancy import Occupancy
from services.notices.domain.visit import Venue
from shared.mongo import Database, Indexes, from_document
from shared.unit_of_work import Work

OCCUPANCY = "occupancy"
VENUES = "venues"

INDEXES: Indexes = {
    OCCUPANCY: [],
    VENUES: [IndexModel([("code", ASCENDING)], unique=True)],
}


def get(work: Work, branch: str) -> Occupancy | None:
    """Return the stored occupancy of a branch, which may be of an earlier day, or None."""
    return work.find(Occupancy, OCCUPANCY, {"_id": branch})


def save(work: Work, occupancy: Occupancy) -> None:
    """Save the next version; of two writers of one version only one succeeds."""
    if occupancy.version == 1:
        work.add(OCCUPANCY, occupancy)
    else:
        work.save(OCCUPANCY, occupancy)


def get_venue(work: Work, branch: str) -> Venue | None:
    """Return the venue of a branch, or None."""
    return work.find(Venue, VENUES, {"_id": branch})


def venue_with(work: Work, code: str) -> Venue | None:
    """Return the venue with a code, or None."""
    return work.find(Venue, VENUES, {"code": code})


def save_venue(work: Work, venue: Venue) -> None:
    """Save the next version of a venue; version 1 is a new one."""
    if venue.version == 1:
        work.add(VENUES, venue)
    else:
        work.save(VENUES, venue)


async def find_one(db: Database, branch: str) -> Occupancy | None:
    """Return the stored occupancy of a branch, which may be of an earlier day, or None."""
    found = await db[OCCUPANCY].find_one({"_id": branch})
    return None if found is None else from_document(Occupancy, found)


async def find_venue(db: Database, branch: str) -> Venue | None:
    """Return the venue of a branch, or None."""
    return await _venue(db, {"_id": branch})


async def find_venue_with(db: Database, code: str) -> Venue | None:
    """Return the venue with a code, or None."""
    return await _venue(db, {"code": code})


async def _venue(db: Database, query: dict[str, Any]) -> Venue | None:
    found = await db[VENUES].find_one(query)
    return None if found is None else from_document(Venue, found)


async def find_to_settle(db: Database, published_by: datetime) -> list[str]:
    """Return the branches with somebody inside or waiting, or with changes not yet published.

    A library has some dozens of branches, so all are read.
    """
    query = {
        "$or": [
            {"inside": {"$gt": 0}},
            {"queue": {"$ne": []}},
            {"unpublished": True, "published_at": {"$lte": published_by}},
        ]
    }
    return [one["_id"] async for one in db[OCCUPANCY].find(query, {"_id": 1})]
