"""Suspend fines, amend and withdraw suspensions, and publish their end."""

from dataclasses import dataclass
from datetime import date

from services.circulation.calendars import store as calendars_store
from services.circulation.closures import store as closures_store
from services.circulation.refusals import NoSuchBranch, NoSuchSuspension
from services.circulation.rules import suspension as suspension_rules
from services.circulation.rules.suspension import FineSuspension, check_span, notice_resumption
from services.circulation.suspensions import events
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
    known = calendars_store.some(work, command.branches)
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
    calendars_store.save_suspension(work, suspension)
    closures_store.want_rework(work, suspension.rework_id, suspension.version)
    work.record(events.suspended(suspension))
    return suspension


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
    suspension = calendars_store.get_suspension(work, command.suspension_id)
    if suspension is None:
        raise NoSuchSuspension
    amended = suspension_rules.amend(
        suspension,
        command.starts_on or suspension.starts_on,
        command.resumes_on,
        command.reason or suspension.reason,
    )
    if amended != suspension:
        calendars_store.save_suspension(work, amended)
        closures_store.want_rework(work, amended.rework_id, amended.version)
        work.record(events.suspended(amended, suspension))
    return amended


@dataclass(frozen=True)
class WithdrawSuspension:
    """Command to withdraw a suspension; `in_error`: it should never have been recorded."""

    suspension_id: str
    on: date
    in_error: bool
    reason: str


def withdraw_suspension(work: Work, command: WithdrawSuspension) -> FineSuspension:
    """Withdraw the suspension, and publish the resumption of fines.

    Raises NoSuchSuspension, SuspensionWithdrawn or SuspensionOver.
    """
    suspension = calendars_store.get_suspension(work, command.suspension_id)
    if suspension is None:
        raise NoSuchSuspension
    withdrawn = suspension_rules.withdraw(
        suspension, on=command.on, in_error=command.in_error, reason=command.reason
    )
    calendars_store.save_suspension(work, withdrawn)
    work.record(events.resumed(withdrawn, suspension))
    return withdrawn


def resume_fines(work: Work, suspension_id: str, on: date) -> bool:
    """Publish the end if it has come and was not noticed yet; return whether it was published."""
    suspension = calendars_store.get_suspension(work, suspension_id)
    if suspension is None:
        return False
    noticed = notice_resumption(suspension, on)
    if noticed == suspension:
        return False
    calendars_store.save_suspension(work, noticed)
    work.record(events.resumed(noticed))
    return True
