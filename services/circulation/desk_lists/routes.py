"""Routes of the lists that the staff of a branch work off, and of their lengths."""

from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field, WithJsonSchema
from starlette.exceptions import HTTPException

from services.circulation.catalogue.routes.copies import CallNumberOut
from services.circulation.desk_lists import queries
from services.circulation.desk_lists.queries import ListQuery, Name, Row
from services.circulation.desk_lists.store import MOST_COUNTED
from services.circulation.fields import BranchCode, Today
from services.circulation.refusals import NoSuchBranch
from shared.audit_trail import shows_patrons
from shared.auth import Staff
from shared.http.bodies import Day
from shared.http.dependencies import Db
from shared.http.paging import Page, page_of
from shared.http.recording import Seen
from shared.refusals import refuses

router = APIRouter(prefix="/v1")

ByBranch = Annotated[BranchCode, Query()]
PathName = Annotated[Name, Path(), WithJsonSchema({"type": "string", "enum": [*Name]})]


class DeskRow(BaseModel):
    """A row of a list: a copy with the loan, the hold or the conflict that the list is about."""

    id: str = Field(description="Id of the copy, the loan, the hold or the conflict.")
    barcode: str
    title_id: str | None
    title: str = Field(description="Empty: the copy is not known.")
    volume: str | None
    category: str | None
    call_number: CallNumberOut | None
    shelf_location: str | None
    at_branch: str | None
    bound_for: str | None
    patron_id: str | None = Field(
        description="Patron who has the copy, is to get it, or left it; null: none."
    )
    loan_id: str | None
    hold_id: str | None
    pickup_branch: str | None
    placed_at: datetime | None = Field(description="Time at which the hold was placed.")
    shelf_until: date | None = Field(description="Last day to collect the copy.")
    ended_on: date | None = Field(description="Day on which the hold ended.")
    on_hold_shelf: bool = Field(
        description="True: the copy lies on the hold shelf, although its hold is over."
    )
    sent_on: date | None = Field(description="Day on which the copy left, in transit.")
    borrowed_on: date | None
    due_on: date | None
    due_at: datetime | None
    overdue_notices: int = Field(description="Overdue notices given for this due date.")
    overdue_noticed_on: date | None = Field(description="Day of the last of them.")
    claimed_returned_on: date | None
    lost_on: date | None = Field(description="Null: not by a patron, or not lost.")
    code: str | None = Field(description="Code of the refusal that an offline check-out broke.")
    lent_on: date | None = Field(description="Day of an offline check-out.")

    @classmethod
    def of(cls, row: Row) -> "DeskRow":
        """Build the response from a row."""
        copy, loan, hold, conflict = row.copy, row.loan, row.hold, row.conflict
        lent = loan or conflict
        return cls(
            id=row.id,
            barcode=copy.barcode if copy else lent.barcode if lent else "",
            title_id=copy.title_id if copy else hold.title_id if hold else None,
            title=row.title,
            volume=copy.volume if copy else None,
            category=copy.category if copy else None,
            call_number=CallNumberOut.of(copy) if copy else None,
            shelf_location=copy.record.shelf_location if copy and copy.record else None,
            at_branch=copy.at_branch if copy else None,
            bound_for=copy.bound_for if copy else None,
            patron_id=row.patron_id,
            loan_id=loan.id if loan else conflict.loan_id if conflict else None,
            hold_id=hold.id if hold else None,
            pickup_branch=hold.pickup_branch if hold else None,
            placed_at=hold.placed_at if hold else None,
            shelf_until=hold.shelf_until if hold else None,
            ended_on=hold.ended_on if hold else None,
            on_hold_shelf=bool(copy and copy.shelved_for),
            sent_on=copy.sent_on if copy else None,
            borrowed_on=loan.borrowed_on if loan else None,
            due_on=loan.due_on if loan else None,
            due_at=loan.due_time.at if loan and loan.due_time else None,
            overdue_notices=loan.overdue_notices if loan else 0,
            overdue_noticed_on=loan.overdue_noticed_on if loan else None,
            claimed_returned_on=loan.claimed_returned_on if loan else None,
            lost_on=loan.lost_on if loan else None,
            code=conflict.code if conflict else None,
            lent_on=conflict.lent_on if conflict else None,
        )


class DeskPage(BaseModel):
    """A page of a list; send `next` as `after` for the next page."""

    items: list[DeskRow]
    next: str | None


class DeskCounts(BaseModel):
    """The lengths of the lists of a branch."""

    branch: str
    most: int = Field(description="Lengths are counted up to this; a greater one means more.")
    counts: dict[str, int] = Field(
        description="By the name of the list; `last-day`: holds of `on-shelf` that can be "
        "collected today for the last time."
    )


@router.get("/desk-lists")
@refuses(NoSuchBranch)
async def get_counts(branch: ByBranch, _caller: Staff, db: Db, today: Today) -> DeskCounts:
    """Count the rows of each list of a branch."""
    counts = await queries.counts(db, branch, today)
    return DeskCounts(branch=branch, most=MOST_COUNTED, counts=counts)


@router.get("/desk-lists/{list_name}")
@refuses(NoSuchBranch)
@shows_patrons
async def get_list(
    list_name: PathName,
    branch: ByBranch,
    _caller: Staff,
    db: Db,
    *,
    today: Today,
    seen: Seen,
    limit: Annotated[int, Query(ge=1, le=MOST_COUNTED, description="Maximum number of rows.")] = 50,
    after: Annotated[
        str | None, Query(max_length=200, description="`next` of the previous page.")
    ] = None,
    first: Annotated[
        Day | None, Query(description="First due date, of `overdue`; null: any.")
    ] = None,
    last: Annotated[
        Day | None, Query(description="Last due date, of `overdue`; null: any.")
    ] = None,
) -> DeskPage:
    """List what the staff of a branch have to do.

    `to-fetch`: copies on its shelves for a hold. `on-shelf`: holds ready to be collected.
    `uncleared`: copies on the hold shelf whose hold is over; a return takes them off the list.
    `to-send`: copies in transit that have not left (`POST /v1/dispatches`). `on-the-way`: those
    that have. `arriving`: copies in transit to it. `overdue`: its loans, without those said to be
    back. `due-today`. `claimed`: loans said to be back. `lost`: copies lost by patrons or missing.
    `conflicts`: offline check-outs to settle.
    """
    page = Page(limit, after)
    asked = ListQuery(list_name, branch, today, first, last)
    rows = await queries.rows(db, asked, limit, _after(after))
    found = page_of(rows, page, lambda row: f"{row.position} {row.id}")
    seen += sorted({row.patron_id for row in found["items"] if row.patron_id})
    return DeskPage(items=[DeskRow.of(row) for row in found["items"]], next=found["next"])


def _after(cursor: str | None) -> tuple[str, str] | None:
    if cursor is None:
        return None
    position, blank, last = cursor.partition(" ")
    if not blank:
        raise HTTPException(422, "after: not a `next` of this list")
    return position, last
