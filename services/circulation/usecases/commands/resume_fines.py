"""Publish, once, that fines are counted again."""

from dataclasses import dataclass
from datetime import date

from services.circulation import store
from services.circulation.domain.suspension import notice_resumption
from services.circulation.usecases.events import suspension_events
from shared.unit_of_work import Work


@dataclass(frozen=True)
class ResumeFines:
    """Command to publish the end of a suspension if it has ended by `on`."""

    suspension_id: str
    on: date


def resume_fines(work: Work, command: ResumeFines) -> bool:
    """Publish the end if it has come and was not noticed yet; return whether it was published."""
    suspension = store.suspensions.get(work, command.suspension_id)
    if suspension is None:
        return False
    noticed = notice_resumption(suspension, command.on)
    if noticed == suspension:
        return False
    store.suspensions.save(work, noticed)
    work.record(suspension_events.resumed(noticed))
    return True
