"""Calendars of branches, and fine suspensions."""

from collections.abc import Collection
from datetime import date

from pymongo import ASCENDING, IndexModel

from services.circulation.rules.branch_calendar import BranchCalendar
from services.circulation.rules.suspension import FineSuspension
from shared import reading
from shared.declared_indexes import Indexes
from shared.mongo import Database
from shared.repository import Repository
from shared.unit_of_work import Work

INDEXES: Indexes = {
    "calendars": [],
    "suspensions": [
        IndexModel([("resumption_noticed_on", ASCENDING), ("resumes_on", ASCENDING)]),
    ],
}

_CALENDARS = Repository(BranchCalendar, "calendars")
get = _CALENDARS.get
"""Return the calendar of a branch; None if circulation does not know the branch."""
some = _CALENDARS.some
"""Return the calendars of some branches, keyed by branch code."""
note = _CALENDARS.note

_SUSPENSIONS = Repository(FineSuspension, "suspensions")
get_suspension = _SUSPENSIONS.get
save_suspension = _SUSPENSIONS.put
find_suspension = _SUSPENSIONS.find
find_suspension_page = _SUSPENSIONS.find_page


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


async def find_suspensions(db: Database) -> list[FineSuspension]:
    """Return every fine suspension, in the order of recording."""
    found = await reading.every(db, FineSuspension, "suspensions", {})
    return sorted(found, key=lambda one: one.id)


async def suspensions_to_resume(db: Database, day: date) -> list[str]:
    """Return the ids of the suspensions that ended by `day` and whose end was not published yet."""
    query = {"resumption_noticed_on": None, "resumes_on": {"$lte": day.isoformat()}}
    return [found["_id"] async for found in db.suspensions.find(query, {"_id": 1})]
