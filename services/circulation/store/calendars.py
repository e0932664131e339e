"""Calendars of branches."""

from collections.abc import Collection

from services.circulation.domain.branch_calendar import BranchCalendar
from services.circulation.store import reading
from shared.mongo import Database, Indexes
from shared.unit_of_work import Work

INDEXES: Indexes = {"calendars": []}


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


async def find(
    db: Database, branch_codes: Collection[str] | None = None
) -> dict[str, BranchCalendar]:
    """Return the calendars of some branches, or of all, keyed by code; outside any transaction."""
    query = {} if branch_codes is None else {"_id": {"$in": sorted(branch_codes)}}
    found = await reading.every(db, BranchCalendar, "calendars", query)
    return {calendar.id: calendar for calendar in found}
