"""Count people at a door who enter or leave, without registering them."""

from dataclasses import dataclass
from datetime import datetime

from services.notices.domain import occupancy as rules
from services.notices.usecases.change_occupancy import Inside, inside_of, open_branch, save
from shared.unit_of_work import Work


@dataclass(frozen=True)
class CountVisitors:
    """People who enter, or leave, by one door."""

    branch: str
    door: str
    entered: int
    left: int
    local: datetime
    """Time in the library's time zone."""


def count_visitors(work: Work, command: CountVisitors) -> Inside:
    """Count those who leave, then all who enter or none of them.

    Raises NoSuchBranch, TooManyDoors; BranchIsClosed or BranchFull if somebody enters.
    """
    look = open_branch if command.entered else inside_of
    found = look(work, command.branch, command.local)
    now, door = found.occupancy, command.door
    if command.left:
        now = rules.leave(now, command.left, found.capacity, work.now, door)
    if command.entered:
        now = rules.enter(now, command.entered, found.capacity, work.now, door)
    saved = save(work, found, now)
    return Inside(found.branch, saved, found.capacity, found.open)
