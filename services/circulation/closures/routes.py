"""Routes that preview the effect of calendars and policies, and that show sweeps."""

from dataclasses import asdict
from datetime import date, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from services.circulation.closures import queries, store
from services.circulation.closures.commands import calendar_of
from services.circulation.fields import Today
from services.circulation.policies.routes import PolicyId, Terms
from services.circulation.refusals import NoSuchPolicy, PolicyNeeded, PolicyTaken
from services.circulation.rules.effect import Effect
from services.circulation.rules.sweep import Sweep
from shared.auth import OtherService, Staff, StaffOrOps
from shared.contracts.notices import BranchSnapshot
from shared.http.bodies import Body, from_attributes
from shared.http.dependencies import Db
from shared.refusals import refuses

router = APIRouter(prefix="/v1")


class CalendarsIn(Body):
    """Branches with planned calendars, each as the payload of the event that would publish it."""

    branches: Annotated[tuple[BranchSnapshot, ...], Field(min_length=1, max_length=500)]


class DueDateMovesOut(BaseModel):
    """Number of due dates that move from one day to another."""

    from_: date = Field(serialization_alias="from")
    to: date
    loans: int


class EffectOut(BaseModel):
    """The effect of a change on loans and fines. Amounts are in cents."""

    as_of: date = Field(description="Day for which accruing fines are calculated.")
    open_loans: int = Field(
        description="Number of open loans of the branches that the change concerns."
    )
    loans_moved: int
    due_date_moves: list[DueDateMovesOut]
    shelf_dates_moved: int = Field(
        description="Number of ready holds whose last day to be collected moves."
    )
    accruing_before_cents: int
    accruing_after_cents: int
    fines_lowered: int = Field(description="Number of assessed fines that the change lowers.")
    credited_cents: int
    not_charged_cents: int = Field(
        description="Cents that are not charged: the fall in accruing fines plus "
        "`credited_cents`. Negative if more accrues."
    )
    currency: str = "HKD"

    @classmethod
    def of(cls, effect: Effect) -> "EffectOut":
        """Build the response from an effect."""
        moves = [from_attributes(DueDateMovesOut, one) for one in effect.due_date_moves]
        return from_attributes(cls, effect, due_date_moves=moves)


class SuspensionEffectOut(EffectOut):
    """The effect of a change to a fine suspension."""

    notifications: int = Field(
        description="Number of notifications: one for each patron with an open loan in the "
        "suspension's scope whose fines no other suspension keeps free for longer, and one for "
        "each fine that is lowered."
    )

    @classmethod
    def of_suspension(cls, found: queries.SuspensionEffect) -> "SuspensionEffectOut":
        """Build the response from the effect of a suspension."""
        notified = found.patrons_notified + found.effect.fines_lowered
        return cls(**EffectOut.of(found.effect).model_dump(), notifications=notified)


@router.post("/effects")
async def post_effect(body: CalendarsIn, _caller: OtherService, db: Db, today: Today) -> EffectOut:
    """Preview the effect on loans and fines if branches had these calendars; nothing changes.

    The notices service, which owns the closures, calls it. The gateway does not forward it.
    """
    calendars = [calendar_of(branch) for branch in body.branches]
    return EffectOut.of(await queries.effect_of_calendars(db, calendars, today))


class PolicyEffectIn(Body):
    """The planned terms of a policy row; null: it would be deleted."""

    row: Terms | None


class PolicyEffectOut(BaseModel):
    """The effect that a changed policy row would have had on recent loans. Amounts are in cents."""

    as_of: date
    since: date = Field(description="First day of which loans were examined.")
    loans: int = Field(description="Number of loans that were examined.")
    complete: bool = Field(
        description="True: they are all loans of these days that are still stored. False: a "
        "sample, the first ones of each day."
    )
    concerned: int = Field(description="Loans that would have had another row or other terms.")
    due_earlier: int
    due_later: int
    not_lent: int = Field(description="Loans of items that could only be used in the library.")
    fines_changed: int
    fines_before_cents: int
    fines_after_cents: int
    currency: str = "HKD"


@router.post("/policies/{policy_id}/effect")
@refuses(NoSuchPolicy, PolicyTaken, PolicyNeeded)
async def post_policy_effect(
    policy_id: PolicyId, body: PolicyEffectIn, _caller: Staff, db: Db, today: Today
) -> PolicyEffectOut:
    """Preview what a change of a policy row would have done to loans of the last 30 days.

    Nothing changes. Renewed loans keep their due dates, and loans by hours count as whole days.
    """
    row = body.row.row(policy_id) if body.row else None
    effect, complete = await queries.effect_of_policy(db, policy_id, row, today)
    since = today - timedelta(days=queries.DAYS_LOOKED_AT)
    return PolicyEffectOut(as_of=today, since=since, complete=complete, **asdict(effect))


class SweepOut(BaseModel):
    """The last sweep over the loans and holds of one branch."""

    branch: str
    calendar_version: int = Field(
        description="Version of the branch up to which the sweep applies announcements."
    )
    state: Literal["moving", "settling", "done"] = Field(
        description="`moving`: the first pass is under way. `settling`: all that was found has "
        "moved, and the sweep looks once more a little later. `done`: finished."
    )
    done: int = Field(description="Number of loans and holds processed.")
    total: Annotated[
        int | None,
        Field(description="Number of loans and holds to process; null: not counted yet."),
    ]
    workers: int = Field(description="Number of chunks that are leased to workers now.")

    @classmethod
    def of(cls, sweep: Sweep) -> "SweepOut":
        """Build the response from a sweep."""
        return from_attributes(
            cls, sweep, branch=sweep.id, state=sweep.state.value, workers=len(sweep.in_hand)
        )


class SweepsOut(BaseModel):
    """The last sweep of each branch."""

    items: list[SweepOut]


@router.get("/ops/sweeps", tags=["operations"])
async def get_sweeps(caller: StaffOrOps, db: Db) -> SweepsOut:
    """List the last sweep of each branch, in the order of branch codes."""
    return SweepsOut(items=[SweepOut.of(sweep) for sweep in await store.find_sweeps(db)])
