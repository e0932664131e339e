"""Routes of fine suspensions."""

from datetime import date
from typing import ParamSpec

from fastapi import APIRouter
from pydantic import BaseModel, Field

from services.circulation import refusals
from services.circulation.calendars import store as calendars_store
from services.circulation.closures import queries as closures_queries
from services.circulation.closures.routes import SuspensionEffectOut
from services.circulation.fields import BranchCode, BranchKind, Id, Line, day_of
from services.circulation.rules.suspension import FineSuspension
from services.circulation.suspensions.commands import (
    amend_suspension,
    suspend_fines,
    withdraw_suspension,
)
from shared.audit_trail import shows_patrons
from shared.auth import Staff, StaffOrService
from shared.contracts.suspensions import SuspensionSnapshot
from shared.http.bodies import Body, Day, from_attributes
from shared.http.dependencies import Db, Preview, Run
from shared.http.paging import PageQuery, page_of
from shared.refusals import refuses
from shared.unit_of_work import UseCase

router = APIRouter(prefix="/v1")

P = ParamSpec("P")


class SuspensionIn(Body):
    """A fine suspension; without branches and kinds it covers the whole library."""

    starts_on: Day
    resumes_on: Day | None = None
    branches: frozenset[BranchCode] = Field(default=frozenset(), max_length=500)
    kinds: frozenset[BranchKind] = Field(default=frozenset(), max_length=6)
    reason: Line


class AmendmentIn(Body):
    """The fields of a suspension to change. An absent field stays; `resumes_on` is required."""

    resumes_on: Day | None = Field(
        description="First day on which fines accrue again; null: none is announced, and an "
        "announced one is cancelled."
    )
    starts_on: Day | None = None
    reason: Line | None = None


class WithdrawalIn(Body):
    """The reason why a suspension is withdrawn."""

    reason: Line
    in_error: bool = Field(
        default=False,
        description="True: the suspension should never have been recorded, and none of its days "
        "stays free. False: the days before today stay free.",
    )


class SuspensionOut(BaseModel):
    """A fine suspension."""

    id: str
    starts_on: date
    resumes_on: date | None
    branches: list[str]
    kinds: list[str]
    reason: str
    withdrawn_on: date | None
    withdrawn_because: str | None
    version: int

    @classmethod
    def of(cls, suspension: FineSuspension) -> "SuspensionOut":
        """Build the response from a suspension."""
        return from_attributes(
            cls,
            suspension,
            branches=sorted(suspension.branches),
            kinds=sorted(suspension.kinds),
            withdrawn_on=suspension.withdrawal.on if suspension.withdrawal else None,
            withdrawn_because=suspension.withdrawal.reason if suspension.withdrawal else None,
        )


class SuspensionList(BaseModel):
    """Every fine suspension."""

    items: list[SuspensionOut]


class ConcernedPatron(BaseModel):
    """A patron whom a suspension concerns."""

    patron_id: str
    branches: list[str] = Field(
        description="Codes of the branches in the suspension's scope from which the patron has "
        "open loans."
    )


class ConcernedPatronPage(BaseModel):
    """A page of patrons; send `next` as `after` for the next page."""

    items: list[ConcernedPatron]
    next: str | None


@router.post(
    "/fine-suspensions",
    status_code=201,
    responses={
        200: {
            "model": SuspensionEffectOut,
            "description": "Effect that the change would have (`preview=true`).",
        }
    },
)
@refuses(refusals.ResumesBeforeStart, refusals.NoSuchBranch)
async def post_suspension(
    body: SuspensionIn, _caller: Staff, run: Run, preview: Preview
) -> SuspensionOut | SuspensionEffectOut:
    """Suspend fines. With `preview=true`, returns the effect and changes nothing."""
    return await _change(
        run,
        preview,
        suspend_fines,
        starts_on=body.starts_on,
        resumes_on=body.resumes_on,
        branches=body.branches,
        kinds=frozenset(body.kinds),
        reason=body.reason,
    )


@router.patch("/fine-suspensions/{suspension_id}")
@refuses(refusals.NoSuchSuspension, refusals.ResumesBeforeStart, refusals.SuspensionWithdrawn)
async def patch_suspension(
    suspension_id: Id, body: AmendmentIn, _caller: Staff, run: Run, preview: Preview
) -> SuspensionOut | SuspensionEffectOut:
    """Announce when fines are counted again, or amend the span or the reason.

    With `preview=true`, returns the effect and changes nothing.
    """
    return await _change(
        run,
        preview,
        amend_suspension,
        suspension_id,
        body.resumes_on,
        body.starts_on,
        body.reason,
    )


@router.post("/fine-suspensions/{suspension_id}/withdrawal")
@refuses(refusals.NoSuchSuspension, refusals.SuspensionWithdrawn, refusals.SuspensionOver)
async def post_withdrawal(
    suspension_id: Id, body: WithdrawalIn, _caller: Staff, run: Run, preview: Preview
) -> SuspensionOut | SuspensionEffectOut:
    """Withdraw a suspension. With `preview=true`, returns the effect and changes nothing."""
    return await _change(
        run,
        preview,
        withdraw_suspension,
        suspension_id,
        day_of(None, run),
        body.in_error,
        body.reason,
    )


async def _change(
    run: Run,
    preview: bool,
    use_case: UseCase[P, FineSuspension],
    *args: P.args,
    **kwargs: P.kwargs,
) -> SuspensionOut | SuspensionEffectOut:
    """Make a change, or return the effect that it would have."""
    if not preview:
        return SuspensionOut.of(await run(use_case, *args, **kwargs))
    suspension, events = await run.try_out(use_case, *args, **kwargs)
    is_announced = any(isinstance(event, SuspensionSnapshot) for event in events)
    found = await closures_queries.effect_of_suspension(
        run.database, suspension, day_of(None, run), is_announced=is_announced
    )
    return SuspensionEffectOut.of_suspension(found)


@router.get("/fine-suspensions")
async def get_suspensions(_caller: Staff, db: Db) -> SuspensionList:
    """List every fine suspension, in the order of recording."""
    found = await calendars_store.find_suspensions(db)
    return SuspensionList(items=[SuspensionOut.of(suspension) for suspension in found])


@router.get("/fine-suspensions/{suspension_id}/patrons")
@refuses(refusals.NoSuchSuspension)
@shows_patrons
async def get_concerned_patrons(
    suspension_id: Id, _caller: StaffOrService, run: Run, page: PageQuery
) -> ConcernedPatronPage:
    """List the patrons with an open loan of a branch in the suspension's scope, each once.

    A branch whose fines another suspension keeps free for longer is left out.
    """
    found = await closures_queries.borrowing_patrons(
        run.database, suspension_id, page.limit, page.after, day_of(None, run)
    )
    if found is None:
        raise refusals.NoSuchSuspension
    items = [
        ConcernedPatron(patron_id=patron_id, branches=sorted(branches))
        for patron_id, branches in found.items()
    ]
    return ConcernedPatronPage(**page_of(items, page, lambda item: str(item.patron_id)))
