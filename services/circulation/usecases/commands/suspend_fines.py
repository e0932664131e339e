"""Suspend fines: overdue days are free for a time."""

from dataclasses import dataclass
from datetime import date

from services.circulation import store
from services.circulation.domain.refusals.branches import NoSuchBranch
from services.circulation.domain.suspension import FineSuspension, check_span
from services.circulation.usecases.events import suspension_events
from shared.ids import new_id
from shared.unit_of_work import Work


@dataclass(frozen=True)
class SuspendFines:
    """Command to suspend fines from `starts_on` to the day before `resumes_on`.

    Without branches and kinds it covers the whole library.
    """

    starts_on: date
    resumes_on: date | None
    branches: frozenset[str]
    kinds: frozenset[str]
    reason: str


def suspend_fines(work: Work, command: SuspendFines) -> FineSuspension:
    """Record and publish the suspension. Raises ResumesBeforeStart or NoSuchBranch."""
    check_span(command.starts_on, command.resumes_on)
    known = store.calendars.some(work, command.branches)
    if unknown := command.branches - set(known):
        raise NoSuchBranch(branch=", ".join(sorted(unknown)))
    suspension = FineSuspension(
        id=new_id(),
        starts_on=command.starts_on,
        resumes_on=command.resumes_on,
        branches=command.branches,
        kinds=command.kinds,
        reason=command.reason,
    )
    store.suspensions.save(work, suspension)
    store.reworks.want(work, suspension.rework_id, suspension.version)
    work.record(suspension_events.suspended(suspension))
    return suspension
