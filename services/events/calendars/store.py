"""Calendars of branches, which are also the branches that events knows."""

from collections.abc import Collection
from typing import Any

from pymongo import ASCENDING, IndexModel

from services.events.calendars.rules import BranchCalendar
from shared.declared_indexes import Indexes
from shared.mongo import Database, from_document
from shared.repository import Repository
from shared.unit_of_work import Work

CALENDARS = "calendars"
_UNSETTLED = {"unsettled": {"$type": "object"}}

INDEXES: Indexes = {
    CALENDARS: [
        IndexModel([("unsettled.at", ASCENDING)], partialFilterExpression=_UNSETTLED),
    ],
}

_CALENDARS = Repository(BranchCalendar, CALENDARS)
note = _CALENDARS.note
get = _CALENDARS.get
"""Return the calendar of a branch; None if events does not know the branch."""


def hold(work: Work, branch: str) -> BranchCalendar | None:
    """Return the same as `get`, for a decision that no concurrent change may contradict.

    Writes the calendar, so that a concurrent closure or season of this branch conflicts.
    """
    work.update(CALENDARS, {"_id": branch}, {"$inc": {"writes": 1}})
    return get(work, branch)


def unknown(work: Work, branches: Collection[str]) -> set[str]:
    """Return those of these codes that no branch has, as far as events knows."""
    query = {"_id": {"$in": sorted(branches)}}
    return set(branches) - set(work.distinct(CALENDARS, "_id", query))


def settle(work: Work, calendar: BranchCalendar) -> None:
    """Note that all bookings and places follow this calendar, unless a newer one is stored."""
    which = {"_id": calendar.id, "version": calendar.version}
    work.update(CALENDARS, which, {"$set": {"unsettled": None}})


async def find(db: Database, branches: Collection[str]) -> dict[str, BranchCalendar]:
    """Return the calendars of these branches, keyed by code, read outside any transaction."""
    return await _every(db, {"_id": {"$in": sorted(branches)}})


async def find_unsettled(db: Database) -> dict[str, BranchCalendar]:
    """Return the calendars that bookings and places may not follow yet, keyed by code."""
    return await _every(db, _UNSETTLED)


async def _every(db: Database, query: dict[str, Any]) -> dict[str, BranchCalendar]:
    found = db[CALENDARS].find(query)
    return {one["_id"]: from_document(BranchCalendar, one) async for one in found}
