"""Announce when suspended fines are counted again, or take the announced day back."""

from dataclasses import dataclass
from datetime import date

from services.circulation import store
from services.circulation.domain import suspension as rules
from services.circulation.domain.refusals import NoSuchSuspension
from services.circulation.domain.suspension import FineSuspension
from services.circulation.usecases.tell_of_suspension import tell
from shared.contracts.circulation import FinesSuspended
from shared.unit_of_work import Work


@dataclass(frozen=True)
class AnnounceResumption:
    """The first day that counts again; None: none is announced any more."""

    suspension_id: str
    resumes_on: date | None


async def announce_resumption(work: Work, command: AnnounceResumption) -> FineSuspension:
    """The suspension after it. Raises NoSuchSuspension or ResumesBeforeStart."""
    suspension = await store.suspensions.get(work, command.suspension_id)
    if suspension is None:
        raise NoSuchSuspension
    changed = rules.announce_resumption(suspension, command.resumes_on)
    if changed != suspension:
        await store.suspensions.save(work, changed)
        tell(work, FinesSuspended, changed)
    return changed
