"""Routes of tills: open, show, and close with a count."""

from datetime import date, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, StringConstraints

from services.circulation import refusals
from services.circulation.charges import queries
from services.circulation.fields import BranchCode, Id, TillName, day_of
from services.circulation.rules.till import Till, TillState
from services.circulation.till import store
from services.circulation.till.commands import close_till, open_till
from shared.audit_trail import shows_patrons
from shared.auth import Staff
from shared.http.bodies import Body, Day, from_attributes
from shared.http.dependencies import Db, Run
from shared.refusals import or_refuse, refuses

router = APIRouter(prefix="/v1")

MOST_TILLS = 50
"""Tills that are listed."""
Cents = Annotated[int, Field(ge=0, le=100_000_000)]


class OpeningIn(Body):
    """A till to open, with the cash that is in it."""

    branch: BranchCode
    name: TillName = Field(default="", description="Empty: the only till of the library.")
    float_cents: Cents


class ClosingIn(Body):
    """The cash that was counted in a till."""

    counted_cents: Cents
    shown_cents: Annotated[int, Field(ge=-100_000_000, le=200_000_000)] = Field(
        description="What was expected, as it was shown; refused if cash has moved since."
    )
    reason: Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)] = Field(
        default="", description="Reason for a difference; needed if there is one."
    )


class TillOut(BaseModel):
    """A till. `outside` is cash of a day that was taken while no till was open."""

    id: str
    branch: str
    name: str
    state: TillState
    opened_on: date
    opened_at: datetime
    opened_by: str
    float_cents: int
    taken: dict[str, int] = Field(description="Cents taken, by kind of charge.")
    given: dict[str, int] = Field(description="Cents given back, by kind of charge.")
    expected_cents: int
    counted_cents: int | None = Field(description="Null: not counted.")
    difference_cents: int | None = Field(description="Negative: less was counted than expected.")
    reason: str
    closed_at: datetime | None
    closed_by: str
    currency: str = "HKD"

    @classmethod
    def of(cls, till: Till) -> "TillOut":
        """Build the response from a till."""
        return from_attributes(cls, till, branch=till.branch_code)


class TillLineOut(BaseModel):
    """Cash that was taken or given back for one charge."""

    of: Literal["payment", "cancelled", "refund"] = Field(
        description="`cancelled`: a payment that was a mistake, of which nothing is in the till."
    )
    id: str = Field(description="Id of the payment or the refund.")
    patron_id: str
    at: datetime
    by: str
    kind: str = Field(description="Kind of the charge.")
    amount_cents: int = Field(description="Cents taken; negative: given back.")
    reason: str = Field(description="Why it was cancelled; empty: it was not.")


class TillInFull(TillOut):
    """A till with each line of its cash, the oldest first."""

    lines: list[TillLineOut]


class TillList(BaseModel):
    """Tills of a library, the last opened first."""

    items: list[TillOut]


@router.post("/tills", status_code=201)
@refuses(refusals.NoSuchBranch, refusals.TillOpen)
async def post_till(body: OpeningIn, caller: Staff, run: Run) -> TillOut:
    """Open a till. Cash at its library is booked in it until it is closed."""
    till = await run(
        open_till,
        branch=body.branch,
        name=body.name,
        float_cents=body.float_cents,
        by=caller.id,
        on=day_of(None, run),
    )
    return TillOut.of(till)


@router.post("/tills/{till_id}/closing")
@refuses(
    refusals.NoSuchTill,
    refusals.TillClosedAlready,
    refusals.AmountChanged,
    refusals.DifferenceUnexplained,
)
async def post_till_closing(till_id: Id, body: ClosingIn, caller: Staff, run: Run) -> TillOut:
    """Close a till with the cash that was counted. A difference needs a reason."""
    till = await run(
        close_till,
        till_id=till_id,
        counted_cents=body.counted_cents,
        shown_cents=body.shown_cents,
        reason=body.reason,
        by=caller.id,
    )
    return TillOut.of(till)


@router.get("/tills")
async def get_tills(
    _caller: Staff,
    db: Db,
    branch: Annotated[str, Query(min_length=1, max_length=20)],
    day: Annotated[Day | None, Query(description="Day of opening; without it, the last.")] = None,
) -> TillList:
    """List the tills of a library."""
    found = await store.find_of(db, branch, day, MOST_TILLS)
    return TillList(items=[TillOut.of(till) for till in found])


@router.get("/tills/{till_id}")
@refuses(refusals.NoSuchTill)
@shows_patrons
async def get_till(till_id: Id, _caller: Staff, db: Db) -> TillInFull:
    """Get a till with each line of its cash."""
    till = or_refuse(await store.find(db, till_id), refusals.NoSuchTill)
    lines = [TillLineOut(**vars(line)) for line in await queries.lines_of_till(db, till_id)]
    return TillInFull(**dict(TillOut.of(till)), lines=lines)
