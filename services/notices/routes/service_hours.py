"""Routes that set the hours of a branch's services, and periods with other hours."""

import datetime as dt

from fastapi import APIRouter

from services.notices.domain.branch import Branch
from services.notices.domain.hours import Period, PeriodReason, ServiceName
from services.notices.domain.refusals import (
    BadHours,
    BadPeriod,
    NoSuchBranch,
    NoSuchPeriod,
    NoSuchService,
    TooManyPeriods,
)
from services.notices.routes.branches import BranchOut
from services.notices.routes.fields import Id, WeekBody
from services.notices.usecases.change_service_hours import (
    RemovePeriod,
    RemoveService,
    SetPeriod,
    SetService,
    remove_period,
    remove_service,
    set_period,
    set_service,
)
from shared.auth import Staff
from shared.clock import library_day
from shared.http.bodies import Body, Day
from shared.http.dependencies import Run
from shared.refusals import refuses

router = APIRouter(prefix="/v1", tags=["branches"])


class ServiceBody(Body):
    """The usual weekly hours of a service."""

    hours: WeekBody


class PeriodBody(Body):
    """A period in which a service has other hours; a special day is a period of one day."""

    until: dt.date
    reason: PeriodReason
    hours: WeekBody


@router.put("/branches/{code}/services/{service}")
@refuses(NoSuchBranch, BadHours)
async def put_service(
    code: Id, service: ServiceName, body: ServiceBody, caller: Staff, run: Run
) -> BranchOut:
    """Set the usual hours of a service, whatever those of the branch are; its periods stay."""
    hours = tuple(one.hours() for one in body.hours)
    return _shown(await run(set_service, SetService(code, service, hours)), run)


@router.delete("/branches/{code}/services/{service}")
@refuses(NoSuchBranch, NoSuchService)
async def delete_service(code: Id, service: ServiceName, caller: Staff, run: Run) -> BranchOut:
    """Remove the hours of a service with its periods: it has those of the branch again."""
    return _shown(await run(remove_service, RemoveService(code, service)), run)


@router.put("/branches/{code}/services/{service}/periods/{starts_on}")
@refuses(NoSuchBranch, NoSuchService, BadHours, BadPeriod, TooManyPeriods)
async def put_period(
    code: Id, service: ServiceName, *, starts_on: Day, body: PeriodBody, caller: Staff, run: Run
) -> BranchOut:
    """Set the hours of a service in a period, by its first day; without any it is closed then."""
    hours = tuple(one.hours() for one in body.hours)
    period = Period(starts_on, body.until, body.reason, hours)
    return _shown(await run(set_period, SetPeriod(code, service, period)), run)


@router.delete("/branches/{code}/services/{service}/periods/{starts_on}")
@refuses(NoSuchBranch, NoSuchService, NoSuchPeriod)
async def delete_period(
    code: Id, service: ServiceName, starts_on: Day, caller: Staff, run: Run
) -> BranchOut:
    """Remove a period of a service, by its first day."""
    return _shown(await run(remove_period, RemovePeriod(code, service, starts_on)), run)


def _shown(branch: Branch, run: Run) -> BranchOut:
    zone = run.settings.zone
    return BranchOut.of(branch, library_day(run.now, zone), run.now.astimezone(zone))
