"""Load, save and publish the occupancy of a branch: what all commands about it share."""

from dataclasses import dataclass, replace
from datetime import datetime

from services.notices import store
from services.notices.domain import branch as calendar
from services.notices.domain import occupancy as rules
from services.notices.domain.branch import Branch
from services.notices.domain.occupancy import Occupancy
from services.notices.domain.refusals import NoSuchBranch
from services.notices.domain.visit_refusals import BranchIsClosed
from shared.contracts.notices import BranchOccupancy
from shared.unit_of_work import Work


@dataclass(frozen=True)
class Inside:
    """A branch with its occupancy and its capacity today."""

    branch: Branch
    occupancy: Occupancy
    capacity: int | None
    open: bool


def inside_of(work: Work, code: str, local: datetime) -> Inside:
    """Return a branch with its occupancy at a local time. Raises NoSuchBranch."""
    branch = store.branches.get(work, code)
    if branch is None:
        raise NoSuchBranch([code])
    day = local.date()
    occupancy = rules.of_day(store.occupancy.get(work, code), code, day)
    capacity = calendar.day_of(branch, day).capacity
    return Inside(branch, occupancy, capacity, calendar.is_open_at(branch, local))


def open_branch(work: Work, code: str, local: datetime) -> Inside:
    """Return a branch that people may enter now. Raises NoSuchBranch or BranchIsClosed."""
    found = inside_of(work, code, local)
    if not found.open:
        raise BranchIsClosed
    return found


def save(work: Work, before: Inside, now: Occupancy) -> Occupancy:
    """Save a changed occupancy, publish it if that is due, and return it.

    Of two writers at once one is run again, so the capacity holds at all doors together.
    """
    version = before.occupancy.version + 1
    if rules.due(now, before.capacity, work.now):
        level = rules.level(now, before.capacity)
        now = replace(
            now, version=version, published_at=work.now, published=level, unpublished=False
        )
        work.record(published(now, before.capacity, work.now))
    else:
        now = replace(now, version=version, unpublished=True)
    store.occupancy.save(work, now)
    return now


def published(occupancy: Occupancy, capacity: int | None, at: datetime) -> BranchOccupancy:
    """Return the event of an occupancy: numbers only."""
    return BranchOccupancy(
        version=occupancy.version,
        branch=occupancy.id,
        day=occupancy.day,
        at=at,
        inside=occupancy.inside,
        capacity=capacity,
        level=rules.level(occupancy, capacity),
        waiting=occupancy.waiting,
        entered=occupancy.entered,
    )
