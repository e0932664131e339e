"""Amend a fine suspension: announce its end, cancel the announced end, or correct it."""

from dataclasses import dataclass
from datetime import date

from services.circulation import store
from services.circulation.domain import suspension as rules
from services.circulation.domain.refusals.suspensions import NoSuchSuspension
from services.circulation.domain.suspension import FineSuspension
from services.circulation.usecases.events import suspension_events
from shared.unit_of_work import Work


@dataclass(frozen=True)
class AmendSuspension:
    """Command to amend a suspension. None for `starts_on` or `reason` leaves it unchanged."""

    suspension_id: str
    resumes_on: date | None
    """First day that counts again; None: none is announced any more."""
    starts_on: date | None = None
    reason: str | None = None


def amend_suspension(work: Work, command: AmendSuspension) -> FineSuspension:
    """Amend the suspension; publish it if something changed.

    Raises NoSuchSuspension, SuspensionWithdrawn or ResumesBeforeStart.
    """
    suspension = store.suspensions.get(work, command.suspension_id)
    if suspension is None:
        raise NoSuchSuspension
    amended = rules.amend(
        suspension,
        command.starts_on or suspension.starts_on,
        command.resumes_on,
        command.reason or suspension.reason,
    )
    if amended != suspension:
        store.suspensions.save(work, amended)
        store.reworks.want(work, amended.rework_id, amended.version)
        work.record(suspension_events.suspended(amended, suspension))
    return amended
