"""Reads of occupancy and of visits."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from services.notices.branches import queries as branches_queries
from services.notices.branches import store as branches_store
from services.notices.branches.rules.branch import Branch, day_of, is_open_at
from services.notices.sealing import Master, unwrapped
from services.notices.visits import rules, store
from services.notices.visits.refusals import NoSuchVenue
from services.notices.visits.rules import Look, Occupancy, Visit, Visitor
from shared.http.paging import Page, page_of
from shared.mongo import Database
from shared.refusals import or_refuse

MOST_BRANCHES = 1000


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
    branch = await branches_queries.get(db, code)
    return _fullness(branch, await store.find_occupancy(db, code), now, local)


async def fullness_of_all(db: Database, now: datetime, local: datetime) -> list[Fullness]:
    """Return how full each branch is in which people were counted, in two reads."""
    branches = await branches_store.find_after(db, None, MOST_BRANCHES)
    stored = await store.find_occupancies(db, [branch.id for branch in branches])
    return [_fullness(one, stored[one.id], now, local) for one in branches if one.id in stored]


def _fullness(branch: Branch, stored: Occupancy | None, now: datetime, local: datetime) -> Fullness:
    day = local.date()
    capacity = day_of(branch, day).capacity
    occupancy = rules.called(rules.of_day(stored, branch.id, day), capacity, now)
    is_open = is_open_at(branch, local)
    if not is_open:
        occupancy = rules.closed(occupancy)
    return Fullness(branch, occupancy, capacity, is_open, now)


async def fullness_at_venue(db: Database, venue: str, now: datetime, local: datetime) -> Fullness:
    """Return how full the branch with a venue code is. Raises NoSuchVenue."""
    found = or_refuse(await store.find_venue_with(db, venue), NoSuchVenue)
    return await fullness(db, found.id, now, local)


@dataclass(frozen=True)
class SeenVisit:
    """A visit with its visitor; None if the key of its day, or its master key, is gone."""

    visit: Visit
    visitor: Visitor | None = field(repr=False)


async def visits_of_look(
    db: Database, look: Look, since: datetime, master: Master | None
) -> list[SeenVisit]:
    """Return the visits of a look that is recorded, with their visitors, by their entry."""
    wrapped = await store.find_keys(db)
    keys: dict[str, bytes | None] = {
        day: unwrapped(master, key.wrapped) if master else None for day, key in wrapped.items()
    }
    found = await store.find_inside(db, since, look, look.found)
    return [_seen(visit, keys.get(visit.day.isoformat())) for visit in found]


def _seen(visit: Visit, key: bytes | None) -> SeenVisit:
    return SeenVisit(visit, store.unseal(key, visit.sealed) if key else None)


async def page_of_looks(db: Database, page: Page) -> dict[str, Any]:
    """Return a page of the looks, the newest first."""
    found = await store.find_looks(db, page.after, page.limit + 1)
    return page_of(found, page, lambda look: str(look.id))
