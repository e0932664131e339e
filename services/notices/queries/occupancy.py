"""Queries about the occupancy of branches, their venues and their queues."""

from dataclasses import dataclass
from datetime import datetime

from services.notices import store
from services.notices.domain import branch as calendar
from services.notices.domain import occupancy as rules
from services.notices.domain.branch import Branch
from services.notices.domain.occupancy import Occupancy
from services.notices.domain.refusals import NoSuchBranch
from services.notices.domain.visit_refusals import NoSuchVenue
from shared.mongo import Database


@dataclass(frozen=True)
class Fullness:
    """The occupancy of a branch at a moment, with its capacity."""

    branch: Branch
    occupancy: Occupancy
    capacity: int | None
    open: bool
    at: datetime

    @property
    def wait_minutes(self) -> int | None:
        """Estimated wait of a person who joins the queue now; 0 if nobody has to wait."""
        if rules.free(self.occupancy, self.capacity) != 0:
            return 0
        return rules.minutes_to_wait(self.occupancy, self.occupancy.waiting + 1, self.at)


async def fullness(db: Database, code: str, now: datetime, local: datetime) -> Fullness:
    """Return how full a branch is. Raises NoSuchBranch."""
    branch = await store.branches.find_one(db, code)
    if branch is None:
        raise NoSuchBranch([code])
    day = local.date()
    capacity = calendar.day_of(branch, day).capacity
    stored = await store.occupancy.find_one(db, code)
    occupancy = rules.called(rules.of_day(stored, code, day), capacity, now)
    is_open = calendar.is_open_at(branch, local)
    if not is_open:
        occupancy = rules.closed(occupancy)
    return Fullness(branch, occupancy, capacity, is_open, now)


async def fullness_at_venue(db: Database, venue: str, now: datetime, local: datetime) -> Fullness:
    """Return how full the branch with a venue code is. Raises NoSuchVenue."""
    found = await store.occupancy.find_venue_with(db, venue)
    if found is None:
        raise NoSuchVenue
    return await fullness(db, found.id, now, local)
