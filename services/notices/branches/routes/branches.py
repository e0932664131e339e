"""Routes of branches."""

import datetime as dt
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from services.notices.branches import commands, queries
from services.notices.branches.refusals import BadHours, BranchExists, NoSuchBranch
from services.notices.branches.routes.places import PlaceBody, PlaceOut
from services.notices.branches.rules.branch import (
    Branch,
    BranchClosure,
    day_of,
    opens_after_closure,
)
from services.notices.branches.rules.hours import (
    Hours,
    Period,
    PeriodReason,
    ServiceHours,
    ServiceName,
)
from services.notices.branches.rules.opening import hours_on, next_opening, open_until
from services.notices.fields import BranchKind, Code, Id, Name, Names
from shared.auth import Staff
from shared.clock import library_day
from shared.http.bodies import Body
from shared.http.dependencies import BusinessTime, Run
from shared.http.paging import PageQuery
from shared.refusals import refuses

Weekday = Annotated[
    int, Field(ge=1, le=7, description="Weekday as in ISO 8601: 1 is Monday, 7 is Sunday.")
]
OpenUntil = Annotated[
    dt.datetime | None,
    Field(
        description="Time at which it closes, if it is open now, whatever the day `on` is; else "
        "null."
    ),
]
OpensAt = Annotated[
    dt.datetime | None,
    Field(
        description="Time at which it opens next, if it is closed now; null: it is open, or no "
        "opening is announced."
    ),
]
router = APIRouter(prefix="/v1", tags=["branches"])


class HoursBody(Body):
    """Opening hours on one weekday; a weekday may have several."""

    weekday: Weekday
    opens: str = Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")
    closes: str = Field(pattern=r"^(([01]\d|2[0-3]):[0-5]\d|24:00)$")

    def hours(self) -> Hours:
        """Return the hours as a domain value."""
        return Hours(self.weekday - 1, self.opens, self.closes)


WeekBody = Annotated[list[HoursBody], Field(max_length=28)]


class BranchBody(Body):
    """A new branch."""

    code: Code
    name: Name
    names: Names = {}  # noqa: RUF012 - pydantic copies it
    kind: BranchKind
    hours: WeekBody = Field(
        description="Weekly opening hours. The branch is closed on weekdays without an entry."
    )
    place: PlaceBody | None = None


class NamesBody(Body):
    """The names of a branch."""

    name: Name
    names: Names = {}  # noqa: RUF012 - pydantic copies it


class HoursChangeBody(Body):
    """A change of a branch's weekly hours."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=False)

    hours: WeekBody
    from_: dt.date | None = Field(
        default=None, alias="from", description="First day of the new hours; null: today."
    )


class HoursOut(BaseModel):
    """Opening hours on one weekday."""

    weekday: Weekday
    opens: str
    closes: str

    @classmethod
    def of(cls, hours: Hours) -> "HoursOut":
        """Build the response from a branch's hours."""
        return cls(weekday=hours.weekday + 1, opens=hours.opens, closes=hours.closes)


class DayClosureOut(BaseModel):
    """The closure that closes a branch on a day."""

    id: str
    from_: dt.date = Field(serialization_alias="from")
    reopened_on: dt.date | None
    reason: str

    @classmethod
    def of(cls, closure: BranchClosure) -> "DayClosureOut":
        """Build the response from a branch's closure."""
        return cls(
            id=closure.closure_id,
            from_=closure.now.starts_on,
            reopened_on=closure.now.reopened_on,
            reason=closure.now.reason,
        )


class PeriodOut(BaseModel):
    """Days on which a service has other hours than usual."""

    from_: dt.date = Field(serialization_alias="from")
    until: dt.date = Field(description="Last day of the period.")
    reason: PeriodReason
    hours: list[HoursOut] = Field(description="Weekdays without an entry are closed.")

    @classmethod
    def of(cls, period: Period) -> "PeriodOut":
        """Build the response from a period."""
        return cls(
            from_=period.starts_on,
            until=period.ends_on,
            reason=period.reason,
            hours=[HoursOut.of(hours) for hours in period.hours],
        )


class ServiceOut(BaseModel):
    """A service with hours of its own, and its state on one day."""

    service: ServiceName
    weekly_hours: list[HoursOut]
    periods: list[PeriodOut] = Field(
        description="Periods with other hours than usual that are not over on the day `on`."
    )
    hours: list[HoursOut] = Field(
        description="Hours on the day `on`; none while a closure closes the branch."
    )
    reason: PeriodReason | None = Field(
        description="Reason of the period that has the day `on`; null: the usual hours."
    )
    open_until: OpenUntil
    opens_at: OpensAt

    @classmethod
    def of(
        cls, branch: Branch, service: ServiceHours, on: dt.date, local: dt.datetime
    ) -> "ServiceOut":
        """Build the response from a service as it is on a day; `local` is the present time."""
        period = service.period_on(on)
        until = open_until(branch, local, service)
        return cls(
            service=service.service,
            weekly_hours=[HoursOut.of(hours) for hours in service.hours],
            periods=[PeriodOut.of(one) for one in service.periods if one.ends_on >= on],
            hours=[HoursOut.of(hours) for hours in hours_on(branch, on, service)],
            reason=period.reason if period else None,
            open_until=until,
            opens_at=None if until else next_opening(branch, local, service),
        )


class BranchOut(BaseModel):
    """A branch, and what a visitor finds there on one day."""

    code: str
    name: str
    names: dict[str, str] = Field(description="Its name in other languages, by language.")
    kind: str
    version: int
    weekly_hours: list[HoursOut]
    on: dt.date
    open: bool
    hours: list[HoursOut] = Field(
        description="Opening hours on the day `on`; special hours if they are in force."
    )
    services: list[str]
    measures: list[str]
    capacity: int | None = Field(description="Maximum number of visitors inside; null: no limit.")
    closure: DayClosureOut | None
    opens_on: dt.date | None = Field(
        description="First open day after the closure; null: the branch is not closed, or no end "
        "is announced."
    )
    open_until: OpenUntil
    opens_at: OpensAt
    place: PlaceOut | None = Field(description="Null: nobody has said where it is.")
    service_hours: list[ServiceOut] = Field(
        description="Services with hours of their own; the others have those of the branch."
    )

    @classmethod
    def of(cls, branch: Branch, on: dt.date, local: dt.datetime) -> "BranchOut":
        """Build the response from a branch as it is on a day; `local` is the present local time."""
        day = day_of(branch, on)
        closure = day.closure
        until = open_until(branch, local)
        return cls(
            code=branch.id,
            name=branch.name,
            names=dict(branch.names),
            kind=branch.kind,
            version=branch.version,
            weekly_hours=[HoursOut.of(hours) for hours in branch.hours],
            on=day.on,
            open=day.open,
            hours=[HoursOut.of(hours) for hours in day.hours],
            services=list(day.services),
            measures=list(day.measures),
            capacity=day.capacity,
            closure=None if closure is None else DayClosureOut.of(closure),
            opens_on=opens_after_closure(branch, on),
            open_until=until,
            opens_at=None if until else next_opening(branch, local),
            place=PlaceOut.of(branch.place),
            service_hours=[ServiceOut.of(branch, one, on, local) for one in branch.service_hours],
        )


class BranchPage(BaseModel):
    """A page of branches."""

    items: list[BranchOut]
    next: str | None


@router.post("/branches", status_code=201)
@refuses(BranchExists, BadHours)
async def post_branch(body: BranchBody, caller: Staff, now: BusinessTime, run: Run) -> BranchOut:
    """Register a branch."""
    today = library_day(now, run.settings.zone)
    hours = tuple(one.hours() for one in body.hours)
    return BranchOut.of(
        await run(
            commands.register_branch,
            code=body.code,
            name=body.name,
            kind=body.kind,
            hours=hours,
            today=today,
            names=body.names,
            place=body.place.place() if body.place else None,
        ),
        today,
        now.astimezone(run.settings.zone),
    )


@router.patch("/branches/{code}")
@refuses(NoSuchBranch, BadHours)
async def patch_branch(
    code: Id, body: HoursChangeBody, caller: Staff, now: BusinessTime, run: Run
) -> BranchOut:
    """Change the weekly hours; special hours in force end."""
    today = library_day(now, run.settings.zone)
    hours = tuple(one.hours() for one in body.hours)
    return BranchOut.of(
        await run(commands.change_hours, code, hours, body.from_ or today),
        today,
        now.astimezone(run.settings.zone),
    )


@router.put("/branches/{code}/names")
@refuses(NoSuchBranch)
async def put_names(
    code: Id, body: NamesBody, caller: Staff, now: BusinessTime, run: Run
) -> BranchOut:
    """Change the names of a branch, in all languages."""
    branch = await run(commands.rename_branch, code, body.name, body.names)
    zone = run.settings.zone
    return BranchOut.of(branch, library_day(now, zone), now.astimezone(zone))


@router.put("/branches/{code}/place")
@refuses(NoSuchBranch)
async def put_place(
    code: Id, body: PlaceBody, caller: Staff, now: BusinessTime, run: Run
) -> BranchOut:
    """Set the district, the address, the way and the position of a branch."""
    branch = await run(commands.set_place, code, body.place())
    zone = run.settings.zone
    return BranchOut.of(branch, library_day(now, zone), now.astimezone(zone))


@router.get("/branches")
async def get_branches(
    page: PageQuery, now: BusinessTime, run: Run, on: dt.date | None = None
) -> BranchPage:
    """List all branches in order of code, each as it is on a day (default: today)."""
    day = on or library_day(now, run.settings.zone)
    found = await queries.page_of_branches(run.database, page)
    local = now.astimezone(run.settings.zone)
    items = [BranchOut.of(branch, day, local) for branch in found["items"]]
    return BranchPage(items=items, next=found["next"])


@router.get("/branches/{code}")
@refuses(NoSuchBranch)
async def get_branch(code: Id, now: BusinessTime, run: Run, on: dt.date | None = None) -> BranchOut:
    """Return a branch as a visitor finds it on a day (default: today)."""
    day = on or library_day(now, run.settings.zone)
    local = now.astimezone(run.settings.zone)
    return BranchOut.of(await queries.get(run.database, code), day, local)


class CalendarDayOut(BaseModel):
    """A day of a branch."""

    on: dt.date
    hours: list[HoursOut] = Field(description="Empty: the branch is closed.")
    closure: str | None = Field(description="Id of the closure that closes it; null: none does.")


class BranchCalendarOut(BaseModel):
    """The days of a year of a branch, as announced until now."""

    code: str
    year: int
    days: list[CalendarDayOut]
    closures: list[DayClosureOut] = Field(description="The closures of these days.")


@router.get("/branches/{code}/calendar")
@refuses(NoSuchBranch)
async def get_calendar(
    code: Id, run: Run, year: Annotated[int, Query(ge=1990, le=2100)]
) -> BranchCalendarOut:
    """Return the hours and the closures of a branch on each day of a year."""
    branch = await queries.get(run.database, code)
    first = dt.date(year, 1, 1)
    length = (dt.date(year + 1, 1, 1) - first).days
    days = [day_of(branch, first + dt.timedelta(days=n)) for n in range(length)]
    closures = {day.closure.closure_id: day.closure for day in days if day.closure}
    return BranchCalendarOut(
        code=branch.id,
        year=year,
        days=[
            CalendarDayOut(
                on=day.on,
                hours=[HoursOut.of(hours) for hours in day.hours],
                closure=day.closure.closure_id if day.closure else None,
            )
            for day in days
        ],
        closures=[DayClosureOut.of(one) for one in closures.values()],
    )
