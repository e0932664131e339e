"""Suspend fines: overdue days are free for a time."""

from dataclasses import dataclass
from datetime import date

from services.circulation import store
from services.circulation.domain.refusals import ResumesBeforeStart
from services.circulation.domain.suspension import FineSuspension
from services.circulation.usecases.tell_of_suspension import tell
from shared.contracts.circulation import FinesSuspended
from shared.ids import new_id
from shared.unit_of_work import Work


@dataclass(frozen=True)
class SuspendFines:
    """From when, until the day before `resumes_on`, and for what; no branch and no kind: all."""

    starts_on: date
    resumes_on: date | None
    branches: frozenset[str]
    kinds: frozenset[str]
    reason: str


async def suspend_fines(work: Work, command: SuspendFines) -> FineSuspension:
    """The suspension, recorded. Raises ResumesBeforeStart."""
    if command.resumes_on is not None and command.resumes_on <= command.starts_on:
        raise ResumesBeforeStart(starts_on=command.starts_on)
    suspension = FineSuspension(
        id=new_id(),
        starts_on=command.starts_on,
        resumes_on=command.resumes_on,
        branches=command.branches,
        kinds=command.kinds,
        reason=command.reason,
    )
    await store.suspensions.save(work, suspension)
    tell(work, FinesSuspended, suspension)
    return suspension
