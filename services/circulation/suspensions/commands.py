"""Suspend fines, amend and withdraw suspensions, and publish their end."""

from datetime import date

from services.circulation.calendars import store as calendars_store
from services.circulation.closures import store as closures_store
from services.circulation.refusals import NoSuchBranch, NoSuchSuspension
from services.circulation.rules.suspension import (
    FineSuspension,
    amend,
    check_span,
    notice_resumption,
    withdraw,
)
from services.circulation.suspensions import events
from shared.ids import new_id
from shared.refusals import or_refuse
from shared.unit_of_work import Work


def suspend_fines(
    work: Work,
    *,
    starts_on: date,
    resumes_on: date | None,
    branches: frozenset[str],
    kinds: frozenset[str],
    reason: str,
) -> FineSuspension:
    """Suspend fines from `starts_on` to the day before `resumes_on`, and publish it.

    Without branches and kinds it covers the whole library. Raises ResumesBeforeStart or
    NoSuchBranch.
    """
    check_span(starts_on, resumes_on)
    known = calendars_store.some(work, branches)
    if unknown := branches - set(known):
        raise NoSuchBranch(branch=", ".join(sorted(unknown)))
    suspension = FineSuspension(
        id=new_id(),
        starts_on=starts_on,
        resumes_on=resumes_on,
        branches=branches,
        kinds=kinds,
        reason=reason,
    )
    calendars_store.save_suspension(work, suspension)
    closures_store.want_rework(work, suspension.rework_id, suspension.version)
    work.record(events.suspended(suspension))
    return suspension


def amend_suspension(
    work: Work,
    suspension_id: str,
    resumes_on: date | None,
    starts_on: date | None = None,
    reason: str | None = None,
) -> FineSuspension:
    """Amend the suspension; publish it if something changed.

    `resumes_on` None: no first day that counts again is announced any more. None for `starts_on` or
    `reason` leaves it unchanged.

    Raises NoSuchSuspension, SuspensionWithdrawn or ResumesBeforeStart.
    """
    suspension = or_refuse(calendars_store.get_suspension(work, suspension_id), NoSuchSuspension)
    amended = amend(
        suspension,
        starts_on or suspension.starts_on,
        resumes_on,
        reason or suspension.reason,
    )
    if amended != suspension:
        calendars_store.save_suspension(work, amended)
        closures_store.want_rework(work, amended.rework_id, amended.version)
        work.record(events.suspended(amended, suspension))
    return amended


def withdraw_suspension(
    work: Work, suspension_id: str, on: date, in_error: bool, reason: str
) -> FineSuspension:
    """Withdraw the suspension, and publish the resumption of fines.

    `in_error`: it should never have been recorded.

    Raises NoSuchSuspension, SuspensionWithdrawn or SuspensionOver.
    """
    suspension = or_refuse(calendars_store.get_suspension(work, suspension_id), NoSuchSuspension)
    withdrawn = withdraw(suspension, on=on, in_error=in_error, reason=reason)
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
