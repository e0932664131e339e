"""Routes of the hours of services, and of the delays of ready holds."""

import datetime as dt

from fastapi import APIRouter
from pydantic import BaseModel, Field

from services.notices.branches import commands, queries, refusals, store
from services.notices.branches.routes.branches import BranchOut, WeekBody
from services.notices.branches.rules.branch import Branch
from services.notices.branches.rules.hours import (
    LONGEST_MINUTES,
    Period,
    PeriodReason,
    ReadyDelay,
    ServiceName,
)
from services.notices.fields import Id
from shared.auth import Staff
from shared.clock import library_day
from shared.http.bodies import Body, Day
from shared.http.dependencies import Db, Run
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
@refuses(refusals.NoSuchBranch, refusals.BadHours)
async def put_service(
    code: Id, service: ServiceName, body: ServiceBody, caller: Staff, run: Run
) -> BranchOut:
    """Set the usual hours of a service, whatever those of the branch are; its periods stay."""
    hours = tuple(one.hours() for one in body.hours)
    return _shown(await run(commands.set_service, code, service, hours), run)


@router.delete("/branches/{code}/services/{service}")
@refuses(refusals.NoSuchBranch, refusals.NoSuchService)
async def delete_service(code: Id, service: ServiceName, caller: Staff, run: Run) -> BranchOut:
    """Remove the hours of a service with its periods: it has those of the branch again."""
    return _shown(await run(commands.remove_service, code, service), run)


@router.put("/branches/{code}/services/{service}/periods/{starts_on}")
@refuses(
    refusals.NoSuchBranch,
    refusals.NoSuchService,
    refusals.BadHours,
    refusals.BadPeriod,
    refusals.TooManyPeriods,
)
async def put_period(
    code: Id, service: ServiceName, *, starts_on: Day, body: PeriodBody, caller: Staff, run: Run
) -> BranchOut:
    """Set the hours of a service in a period, by its first day; without any it is closed then."""
    hours = tuple(one.hours() for one in body.hours)
    period = Period(starts_on, body.until, body.reason, hours)
    return _shown(await run(commands.set_period, code, service, period), run)


@router.delete("/branches/{code}/services/{service}/periods/{starts_on}")
@refuses(refusals.NoSuchBranch, refusals.NoSuchService, refusals.NoSuchPeriod)
async def delete_period(
    code: Id, service: ServiceName, starts_on: Day, caller: Staff, run: Run
) -> BranchOut:
    """Remove a period of a service, by its first day."""
    return _shown(await run(commands.remove_period, code, service, starts_on), run)


def _shown(branch: Branch, run: Run) -> BranchOut:
    zone = run.settings.zone
    return BranchOut.of(branch, library_day(run.now, zone), run.now.astimezone(zone))


class ReadyDelayBody(Body):
    """The time that the branch takes to put a ready item on its hold shelf."""

    minutes: int = Field(ge=0, le=LONGEST_MINUTES)


class ReadyDelayOut(BaseModel):
    """Minutes after which patrons are told that an item is ready, and who set them when."""

    minutes: int
    set_by: str | None = Field(description="Null: it was never set.")
    set_at: dt.datetime | None

    @classmethod
    def of(cls, delay: ReadyDelay | None) -> "ReadyDelayOut":
        """Build the response from a delay; none was set: 0 minutes."""
        if delay is None:
            return cls(minutes=0, set_by=None, set_at=None)
        return cls(minutes=delay.minutes, set_by=delay.set_by, set_at=delay.set_at)


@router.get("/branches/{code}/ready-delay")
@refuses(refusals.NoSuchBranch)
async def get_ready_delay(code: Id, caller: Staff, db: Db) -> ReadyDelayOut:
    """Show the delay before patrons are told that an item is ready at this branch."""
    await queries.get(db, code)
    return ReadyDelayOut.of(await store.find_ready_delay(db, code))


@router.put("/branches/{code}/ready-delay")
@refuses(refusals.NoSuchBranch)
async def put_ready_delay(code: Id, body: ReadyDelayBody, caller: Staff, run: Run) -> ReadyDelayOut:
    """Set the delay, for items that become ready from now on; 0 tells patrons at once.

    Meanwhile neither the inbox nor an e-mail has the notification. If the item is collected or the
    hold ends in that time, the patron is told nothing.
    """
    return ReadyDelayOut.of(await run(commands.set_ready_delay, code, body.minutes, caller.name))
