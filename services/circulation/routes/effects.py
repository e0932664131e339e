"""What a change would do, before it is made."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from services.circulation import queries
from services.circulation.domain.effect import Effect
from services.circulation.routes.fields import Today
from services.circulation.usecases.note_calendar import calendar_of
from shared.auth import OtherService
from shared.contracts.notices import BranchSnapshot
from shared.http import Body, Db

router = APIRouter(prefix="/v1")


class CalendarsIn(Body):
    """Branches as they would be: each the payload of the event that would tell of it."""

    branches: Annotated[tuple[BranchSnapshot, ...], Field(min_length=1, max_length=500)]


class DueDateMovesOut(BaseModel):
    """How many due dates move from one day to another."""

    from_: date = Field(serialization_alias="from")
    to: date
    loans: int


class EffectOut(BaseModel):
    """What a change does to loans and fines. Money in cents."""

    as_of: date = Field(description="The day for which accruing fines are worked out.")
    open_loans: int = Field(description="Of the branches that it concerns.")
    loans_moved: int
    due_date_moves: list[DueDateMovesOut]
    shelf_dates_moved: int = Field(description="Holds that are kept until another day.")
    accruing_before_cents: int
    accruing_after_cents: int
    fines_lowered: int = Field(description="Assessed fines of which less is owed.")
    credited_cents: int
    not_charged_cents: int = Field(description="What no longer accrues, and what is credited.")
    currency: str = "HKD"

    @classmethod
    def of(cls, effect: Effect) -> "EffectOut":
        """From the effect."""
        return cls(
            as_of=effect.as_of,
            open_loans=effect.open_loans,
            loans_moved=effect.loans_moved,
            due_date_moves=[
                DueDateMovesOut(from_=moves.from_, to=moves.to, loans=moves.loans)
                for moves in effect.due_date_moves
            ],
            shelf_dates_moved=effect.shelf_dates_moved,
            accruing_before_cents=effect.accruing_before_cents,
            accruing_after_cents=effect.accruing_after_cents,
            fines_lowered=effect.fines_lowered,
            credited_cents=effect.credited_cents,
            not_charged_cents=effect.not_charged_cents,
        )


class SuspensionEffectOut(EffectOut):
    """What a change of a suspension does."""

    notifications: int = Field(description="Patrons with a loan in its scope, who are told.")

    @classmethod
    def of_suspension(cls, found: queries.SuspensionEffect) -> "SuspensionEffectOut":
        """From what was found."""
        return cls(**EffectOut.of(found.effect).model_dump(), notifications=found.patrons_told)


@router.post("/effects")
async def post_effect(body: CalendarsIn, _caller: OtherService, db: Db, today: Today) -> EffectOut:
    """What it would do to loans and fines if branches had these calendars; nothing changes.

    For notices, which owns the closures. The gateway does not forward it.
    """
    calendars = [calendar_of(branch) for branch in body.branches]
    return EffectOut.of(await queries.effect_of_calendars(db, calendars, today))
