"""Settle the occupancy of a branch as time passes: call from the queue, publish, end the day."""

from dataclasses import dataclass
from datetime import datetime

from services.notices import store
from services.notices.domain import occupancy as rules
from services.notices.domain.occupancy import Occupancy
from services.notices.usecases.change_occupancy import inside_of, save
from shared.unit_of_work import Work


@dataclass(frozen=True)
class SettleOccupancy:
    """The branch to settle at a time in the library's time zone."""

    branch: str
    local: datetime


def settle_occupancy(work: Work, command: SettleOccupancy) -> bool:
    """Apply what time alone changes, and return whether anything did.

    A call from the queue lapses, and the next ones are called. After closing time nobody is inside.
    A change is published that had to wait.
    """
    found = inside_of(work, command.branch, command.local)
    stored: Occupancy | None = store.occupancy.get(work, command.branch)
    now = rules.called(found.occupancy, found.capacity, work.now)
    if not found.open:
        now = rules.closed(now)
    waits = now.unpublished and rules.due(now, found.capacity, work.now)
    if now == stored and not waits:
        return False
    save(work, found, now)
    return True
