"""Calendars of branches, and fine suspensions."""

from collections.abc import Collection
from datetime import date

from pymongo import ASCENDING, IndexModel

from services.circulation.rules.branch_calendar import BranchCalendar
from services.circulation.rules.suspension import FineSuspension
from shared import reading
from shared.declared_indexes import Indexes
from shared.mongo import Database, SnapshotQuery, read_snapshot_page
from shared.unit_of_work import Work

INDEXES: Indexes = {
    "calendars": [],
    "suspensions": [
        IndexModel([("resumption_noticed_on", ASCENDING), ("resumes_on", ASCENDING)]),
    ],
}


def note(work: Work, calendar: BranchCalendar) -> bool:
    """Store a branch's calendar unless it or a newer one is stored; return True if stored."""
    return work.save_if_newer("calendars", calendar)


def get(work: Work, branch_code: str) -> BranchCalendar | None:
    """Return the calendar of a branch; None if circulation does not know the branch."""
    return work.find(BranchCalendar, "calendars", {"_id": branch_code})


def some(work: Work, branch_codes: Collection[str]) -> dict[str, BranchCalendar]:
    """Return the calendars of some branches, keyed by branch code."""
    found = work.all(BranchCalendar, "calendars", {"_id": {"$in": sorted(branch_codes)}})
    return {calendar.id: calendar for calendar in found}


def first_of_kinds(work: Work) -> dict[str, str]:
    """Return the code of one branch of each kind, the first by code, keyed by kind."""
    codes: dict[str, str] = {}
    for branch in work.all(BranchCalendar, "calendars", {}, sort=[("_id", 1)]):
        codes.setdefault(branch.kind, branch.id)
    return codes


async def find(
    db: Database, branch_codes: Collection[str] | None = None
) -> dict[str, BranchCalendar]:
    """Return the calendars of some branches, or of all, keyed by code; outside any transaction."""
    query = {} if branch_codes is None else {"_id": {"$in": sorted(branch_codes)}}
    found = await reading.every(db, BranchCalendar, "calendars", query)
    return {calendar.id: calendar for calendar in found}


def all_suspensions(work: Work) -> list[FineSuspension]:
    """Return every fine suspension. There are few: a library has some in a decade."""
    return work.all(FineSuspension, "suspensions", {})


def get_suspension(work: Work, suspension_id: str) -> FineSuspension | None:
    """Return a fine suspension by its id, or None."""
    return work.find(FineSuspension, "suspensions", {"_id": suspension_id})


def save_suspension(work: Work, suspension: FineSuspension) -> None:
    """Insert a new fine suspension, or save one after a change."""
    work.put("suspensions", suspension)


async def find_suspensions(db: Database) -> list[FineSuspension]:
    """Return every fine suspension, in the order of recording."""
    found = await reading.every(db, FineSuspension, "suspensions", {})
    return sorted(found, key=lambda one: one.id)


async def find_suspension(db: Database, suspension_id: str) -> FineSuspension | None:
    """Return a fine suspension by its id, or None."""
    return await reading.first(db, FineSuspension, "suspensions", {"_id": suspension_id})


async def find_suspension_page(
    db: Database, query: SnapshotQuery
) -> tuple[list[FineSuspension], str | None]:
    """Return a page of the suspensions and the id at which the next page begins."""
    return await read_snapshot_page(db.suspensions, FineSuspension, query)


async def suspensions_to_resume(db: Database, day: date) -> list[str]:
    """Return the ids of the suspensions that ended by `day` and whose end was not published yet."""
    query = {"resumption_noticed_on": None, "resumes_on": {"$lte": day.isoformat()}}
    return [found["_id"] async for found in db.suspensions.find(query, {"_id": 1})]
