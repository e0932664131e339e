"""Routes of conflicts: check-outs that stations made offline against the rules."""

from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from services.circulation.conflicts import store
from services.circulation.conflicts.commands import resolve_conflict
from services.circulation.fields import Id, Line
from services.circulation.refusals import ConflictResolved, NoSuchConflict
from services.circulation.rules.conflict import Conflict
from shared.audit_trail import shows_patrons
from shared.auth import Staff
from shared.http.bodies import Body, from_attributes
from shared.http.dependencies import Db, Run
from shared.http.paging import PageQuery, page_of
from shared.refusals import refuses

router = APIRouter(prefix="/v1")


class ResolutionIn(Body):
    """A note by staff on what they found and did."""

    note: Line


class ResolutionOut(BaseModel):
    """A note by staff on what they found and did, its author and its time."""

    by: str
    at: datetime
    note: str


class ConflictOut(BaseModel):
    """A check-out that was reported later and that the rules would have refused."""

    id: str
    patron_id: str
    barcode: str
    branch: str
    lent_on: date
    code: str
    detail: str
    loan_id: str | None = Field(
        description="Id of the loan that was recorded despite the conflict; null: no loan was "
        "recorded."
    )
    reported_at: datetime
    resolution: ResolutionOut | None

    @classmethod
    def of(cls, conflict: Conflict) -> "ConflictOut":
        """Build the response from a conflict."""
        settled = conflict.resolution
        return from_attributes(
            cls,
            conflict,
            branch=conflict.branch_code,
            detail=conflict.reason,
            resolution=from_attributes(ResolutionOut, settled) if settled else None,
        )


class ConflictPage(BaseModel):
    """A page of conflicts; send `next` as `after` for the next page."""

    items: list[ConflictOut]
    next: str | None


@router.get("/offline-conflicts")
@shows_patrons
async def get_conflicts(
    _caller: Staff,
    db: Db,
    page: PageQuery,
    all_: Annotated[bool, Query(alias="all", description="Include settled conflicts.")] = False,
) -> ConflictPage:
    """List the offline check-outs that broke the rules and that staff have not settled."""
    found = await store.find(db, page.limit, page.after, only_open=not all_)
    items = [ConflictOut.of(conflict) for conflict in found]
    return ConflictPage(**page_of(items, page, lambda item: str(item.id)))


@router.post("/offline-conflicts/{conflict_id}/resolution")
@refuses(NoSuchConflict, ConflictResolved)
async def post_resolution(
    conflict_id: Id, body: ResolutionIn, caller: Staff, run: Run
) -> ConflictOut:
    """Settle a conflict."""
    return ConflictOut.of(await run(resolve_conflict, conflict_id, caller.id, body.note))
