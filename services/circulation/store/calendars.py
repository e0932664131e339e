"""The calendars of branches."""

from collections.abc import Collection

from services.circulation.domain.branch_calendar import BranchCalendar
from services.circulation.store import reading
from shared.mongo import Database, Indexes
from shared.unit_of_work import Work

INDEXES: Indexes = {"calendars": []}


async def note(work: Work, calendar: BranchCalendar) -> bool:
    """Keep a branch's calendar, unless it or a newer one is known. Says whether it was kept."""
    return await work.save_if_newer("calendars", calendar)


async def get(work: Work, branch_code: str) -> BranchCalendar | None:
    """The calendar of a branch; None if circulation has not heard of it."""
    return await work.find(BranchCalendar, "calendars", {"_id": branch_code})


async def some(work: Work, branch_codes: Collection[str]) -> dict[str, BranchCalendar]:
    """The calendars of some branches, by code."""
    found = await work.all(BranchCalendar, "calendars", {"_id": {"$in": sorted(branch_codes)}})
    return {calendar.id: calendar for calendar in found}


async def find(
    db: Database, branch_codes: Collection[str] | None = None
) -> dict[str, BranchCalendar]:
    """As `calendars`, outside any transaction; of every branch if none is named."""
    query = {} if branch_codes is None else {"_id": {"$in": sorted(branch_codes)}}
    found = await reading.every(db, BranchCalendar, "calendars", query)
    return {calendar.id: calendar for calendar in found}
