"""Routes that record, change and preview closures."""

import datetime as dt
from typing import Annotated, ParamSpec

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.notices.branches import refusals
from services.notices.branches.routes.branches import WeekBody
from services.notices.branches.rules.branch import Terms, Withdrawal
from services.notices.closures import commands, queries
from services.notices.closures.queries import (
    ActivitiesInside,
    ClosureEffect,
    LendingEffect,
    StudyRoomsEffect,
)
from services.notices.closures.refusals import NoSuchClosure, NothingToReopen, NothingToWithdraw
from services.notices.closures.rules import ClosureState
from services.notices.fields import Id, Line, ScopeBody
from shared.auth import Staff
from shared.clock import library_day
from shared.contracts.notices import BranchSnapshot
from shared.http.bodies import Body, from_attributes
from shared.http.dependencies import Db, Preview, Run
from shared.http.paging import PageQuery
from shared.refusals import refuses
from shared.unit_of_work import UseCase

router = APIRouter(prefix="/v1", tags=["closures"])

P = ParamSpec("P")


class ReliefBody(Body):
    """Relief for patrons during a closure."""

    extra_renewals: int | None = Field(default=None, ge=0, le=100)


class ClosureBody(ScopeBody):
    """A closure of the branches named by code or by kind."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=False)

    from_: dt.date = Field(alias="from", description="First closed day.")
    reopened_on: dt.date | None = Field(
        default=None, description="First open day; null: no end is announced."
    )
    reason: Line
    relief: ReliefBody | None = None

    @model_validator(mode="after")
    def _names_branches(self) -> "ClosureBody":
        if not (self.branches or self.kinds):
            raise ValueError("name the branches, by code or by kind")
        return self


class ReopeningBody(ScopeBody):
    """The reopening of some or all branches under a closure, and its terms."""

    reopened_on: dt.date | None = Field(
        description="First open day; null: the announced reopening is cancelled, before its day."
    )
    services: list[Line] = Field(default=[], max_length=50)
    measures: list[Line] = Field(default=[], max_length=50)
    hours: WeekBody | None = Field(
        default=None,
        description="Special opening hours from that day on; null: the weekly hours apply.",
    )
    capacity: int | None = Field(default=None, ge=0, le=1_000_000)
    stagger_days: int = Field(
        default=1,
        ge=1,
        le=60,
        description="Number of first open days over which the due dates that the closure moves "
        "are spread.",
    )

    @model_validator(mode="after")
    def _terms_need_a_day(self) -> "ReopeningBody":
        if self.reopened_on is None and self.model_fields_set - {
            "reopened_on",
            "branches",
            "kinds",
        }:
            raise ValueError("a cancelled reopening has no terms")
        return self


class AmendmentBody(Body):
    """The correction of a closure: its first day, its reason or both."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=False)

    from_: dt.date | None = Field(default=None, alias="from", description="First closed day.")
    reason: Line | None = None

    @model_validator(mode="after")
    def _changes_something(self) -> "AmendmentBody":
        if self.from_ is None and self.reason is None:
            raise ValueError("name the first day, the reason or both")
        return self


class WithdrawalBody(ScopeBody):
    """The withdrawal of a closure, for the named branches or for all."""

    in_error: bool = Field(
        description="True: the closure should never have been recorded, and the due dates that "
        "it moved are restored. False: the closure no longer counts from today on, and the due "
        "dates stay."
    )
    reason: Line


class CoveredOut(BaseModel):
    """A branch under a closure."""

    branch: str
    name: str
    kind: str
    reopened_on: dt.date | None
    withdrawn: Withdrawal | None


class ClosureOut(BaseModel):
    """A closure with its announced end."""

    id: str
    branches: list[str]
    kinds: list[str]
    from_: dt.date = Field(serialization_alias="from")
    reopened_on: dt.date | None = Field(
        description="First day on which all its branches are open again; null: no end is "
        "announced for one of them."
    )
    reason: str
    relief: ReliefBody | None
    recorded_at: dt.datetime
    withdrawn: bool = Field(description="True if the closure was withdrawn for all its branches.")
    covered: list[CoveredOut]

    @classmethod
    def of(cls, state: ClosureState) -> "ClosureOut":
        """Build the response from a closure's state."""
        closure = state.closure
        extra = closure.extra_renewals
        return from_attributes(
            cls,
            closure,
            branches=list(closure.branches),
            kinds=list(closure.kinds),
            from_=closure.starts_on,
            reopened_on=state.reopened_on,
            relief=None if extra is None else ReliefBody(extra_renewals=extra),
            withdrawn=state.withdrawn,
            covered=[CoveredOut(**vars(one)) for one in state.covered],
        )


class ClosureEffectOut(BaseModel):
    """The effect that a change of a closure would have; nothing has changed."""

    closure: ClosureOut = Field(
        description="The closure after the change; the id of a new closure is only temporary."
    )
    lending: LendingEffect
    notifications: int = Field(
        description="Number of notifications: for due dates and last days to collect that move, "
        "for fines that are lowered, for followers of branches that reopen, and for bookings in "
        "study rooms that end or count again."
    )
    activities: ActivitiesInside | None = Field(
        description="Activities, not cancelled, that would fall into the closure; null: not "
        "known, because the events service does not answer."
    )
    study_rooms: StudyRoomsEffect | None = Field(
        description="Sessions in study rooms that would not take place, and bookings that would "
        "end or count again; null: not known, because the events service does not answer."
    )

    @classmethod
    def of(cls, effect: ClosureEffect) -> "ClosureEffectOut":
        """Build the response from a closure's effect."""
        return from_attributes(cls, effect, closure=ClosureOut.of(effect.state))


class ClosurePage(BaseModel):
    """A page of closures."""

    items: list[ClosureOut]
    next: str | None


@router.post(
    "/closures",
    status_code=201,
    responses={
        200: {
            "model": ClosureEffectOut,
            "description": "Effect that the change would have (`preview=true`).",
        }
    },
)
@refuses(
    refusals.NoSuchBranch, refusals.NoBranchCovered, refusals.NeverClosed, refusals.ClosedAlready
)
async def post_closure(
    body: ClosureBody, caller: Staff, run: Run, preview: Preview
) -> ClosureOut | ClosureEffectOut:
    """Close branches; closures may overlap, and may be in the past.

    A problem about some of the branches names them in `branches`.
    """
    codes, kinds = body.codes_and_kinds
    return await _done(
        run,
        preview,
        commands.close_branches,
        branches=codes,
        kinds=kinds,
        starts_on=body.from_,
        reopened_on=body.reopened_on,
        reason=body.reason,
        extra_renewals=body.relief.extra_renewals if body.relief else None,
    )


@router.patch("/closures/{closure_id}")
@refuses(NoSuchClosure, refusals.ClosureWithdrawn, refusals.NeverClosed)
async def patch_closure(
    closure_id: Id, body: AmendmentBody, caller: Staff, run: Run, preview: Preview
) -> ClosureOut | ClosureEffectOut:
    """Correct a closure's first day or reason."""
    return await _done(run, preview, commands.amend_closure, closure_id, body.from_, body.reason)


@router.post("/closures/{closure_id}/reopening")
@refuses(
    NoSuchClosure,
    refusals.NotInClosure,
    NothingToReopen,
    refusals.ReopenedAlready,
    refusals.ClosureWithdrawn,
    refusals.NeverClosed,
    refusals.BadHours,
)
async def post_reopening(
    closure_id: Id,
    body: ReopeningBody,
    caller: Staff,
    run: Run,
    preview: Preview,
) -> ClosureOut | ClosureEffectOut:
    """Announce when branches under a closure reopen: the named ones, or all still closed.

    With `reopened_on` null an announced reopening is cancelled, if it has not come. Branches that
    have reopened are refused if they are named, and otherwise left out.
    """
    codes, kinds = body.codes_and_kinds
    today = library_day(run.now, run.settings.zone)
    if body.reopened_on is None:
        return await _done(run, preview, commands.cancel_reopening, closure_id, codes, kinds, today)
    terms = Terms(
        closure_id=closure_id,
        starts_on=body.reopened_on,
        services=tuple(body.services),
        measures=tuple(body.measures),
        capacity=body.capacity,
        hours=None if body.hours is None else tuple(one.hours() for one in body.hours),
        stagger_days=body.stagger_days,
    )
    return await _done(run, preview, commands.announce_reopening, terms, codes, kinds, today)


@router.post("/closures/{closure_id}/withdrawal")
@refuses(NoSuchClosure, refusals.NotInClosure, NothingToWithdraw, refusals.ClosureOver)
async def post_withdrawal(
    closure_id: Id,
    body: WithdrawalBody,
    caller: Staff,
    run: Run,
    preview: Preview,
) -> ClosureOut | ClosureEffectOut:
    """Withdraw a closure, for the named branches or for all."""
    codes, kinds = body.codes_and_kinds
    today = library_day(run.now, run.settings.zone)
    return await _done(
        run,
        preview,
        commands.withdraw_closure,
        closure_id=closure_id,
        branches=codes,
        kinds=kinds,
        in_error=body.in_error,
        reason=body.reason,
        today=today,
    )


async def _done(
    run: Run,
    preview: bool,
    use_case: UseCase[P, ClosureState],
    *args: P.args,
    **kwargs: P.kwargs,
) -> ClosureOut | ClosureEffectOut:
    """Run the use case, or for a preview return its effect and change nothing."""
    if not preview:
        return ClosureOut.of(await run(use_case, *args, **kwargs))
    state, events = await run.try_out(use_case, *args, **kwargs)
    snapshots = [event for event in events if isinstance(event, BranchSnapshot)]
    return ClosureEffectOut.of(await queries.effect_of(run, state, snapshots))


@router.get("/closures")
async def get_closures(
    caller: Staff, db: Db, page: PageQuery, branch: Annotated[Id | None, Query()] = None
) -> ClosurePage:
    """List closures, the last recorded first."""
    found = await queries.page_of_closures(db, branch, page)
    return ClosurePage(items=[ClosureOut.of(c) for c in found["items"]], next=found["next"])


@router.get("/closures/{closure_id}")
@refuses(NoSuchClosure)
async def get_closure(closure_id: Id, caller: Staff, db: Db) -> ClosureOut:
    """Return a closure and the end of each branch under it."""
    return ClosureOut.of(await queries.get(db, closure_id))


@router.get("/closures/{closure_id}/activities")
@refuses(NoSuchClosure)
async def get_closure_activities(closure_id: Id, caller: Staff, run: Run) -> ActivitiesInside:
    """List activities in a closure, for staff to cancel or move."""
    state = await queries.get(run.database, closure_id)
    return await queries.activities_inside(run, state)
