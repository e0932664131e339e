"""Record that a registered visitor leaves."""

from dataclasses import dataclass, replace
from datetime import datetime

from services.notices import store
from services.notices.domain import occupancy as rules
from services.notices.domain.visit_refusals import NoSuchVisit
from services.notices.usecases.change_occupancy import inside_of, save
from services.notices.usecases.enter_branch import Entered
from shared.unit_of_work import Work


@dataclass(frozen=True)
class LeaveBranch:
    """The visit that ends; its id is known to its visitor only."""

    visit_id: str
    local: datetime
    """Time in the library's time zone."""


def leave_branch(work: Work, command: LeaveBranch) -> Entered:
    """Count the visitor out. Repeats change nothing. Raises NoSuchVisit, also after its day."""
    visit = store.visits.get(work, command.visit_id)
    if visit is None or visit.day != command.local.date():
        raise NoSuchVisit
    if visit.left_at is None:
        store.visits.save(work, replace(visit, version=visit.version + 1, left_at=work.now))
        found = inside_of(work, visit.branch, command.local)
        left = rules.leave(found.occupancy, 1, found.capacity, work.now, visit.door)
        save(work, found, left)
    return Entered(visit.id, visit.branch, visit.entered_at)
