"""Routes that show loans and their fines, and that record losses and claims."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from services.circulation import refusals
from services.circulation.catalogue import store as catalogue_store
from services.circulation.charges.routes.charges import ChargeOut, StatementOut
from services.circulation.fields import Id, Now, Today, When, day_of
from services.circulation.loans import queries
from services.circulation.loans.commands.losses import (
    DeclareLost,
    Loss,
    claim_returned,
    declare_lost,
    reject_claim,
)
from services.circulation.loans.refusals import InTheFuture, NoSuchLoan, PriceUnknown
from services.circulation.loans.store import loans as store
from services.circulation.rules.fines import as_document
from services.circulation.rules.loan import DueMove, Loan
from shared import auth
from shared.audit_trail import shows_patrons
from shared.auth import Patron, PatronOrStaff, PatronStaffOrService, Staff, may_see
from shared.http.bodies import Body, Day, from_attributes
from shared.http.dependencies import Db, Run
from shared.http.paging import Page, PageQuery, page_of
from shared.http.problems import count_refusal
from shared.mongo import Database
from shared.refusals import refuses

router = APIRouter(prefix="/v1")


class FineStatementOut(StatementOut):
    """The fine of one loan if it came back on `as_of`."""

    loan_id: str
    as_of: date
    overdue: bool
    suspended: bool = Field(
        description="True if the lending branch's fines are suspended on `as_of`."
    )
    resumes_on: date | None = Field(
        description="First day on which fines accrue again; null: no suspension, or no such day "
        "announced."
    )

    @classmethod
    def of_fine(cls, fine: queries.LoanFine) -> "FineStatementOut":
        """Build the response from the fine of a loan on a day."""
        return cls.model_validate(
            {
                **as_document(fine.statement),
                "loan_id": fine.loan.id,
                "as_of": fine.as_of,
                "overdue": fine.overdue,
                "suspended": fine.suspended,
                "resumes_on": fine.resumes_on,
            }
        )


class AccruingOut(BaseModel):
    """The fine today of an open loan past its stored due date."""

    loan_id: str
    overdue: bool
    amount_cents: int
    per_day_cents: int | None = Field(
        description="Fine for each charged day, in cents; null: other periods, or rates in tiers."
    )
    as_of: date
    suspended: bool
    resumes_on: date | None
    loan_version: int
    calendar_version: int = Field(
        description="Version of the lending branch, as in `branch.*` events."
    )


class AccruingList(BaseModel):
    """All of a patron's accruing fines.

    They stay the same all day, as long as the versions given here do.
    """

    items: list[AccruingOut]
    suspensions_version: int = Field(
        description="Sum of the versions of all fine suspensions, as in `fines.*` events."
    )


@router.get("/me/accruing")
async def get_accruing(caller: Patron, db: Db, today: Today) -> AccruingList:
    """Get the fines today of the patron's open loans past their due dates."""
    overdue = await queries.overdue(db, caller.id, today)
    return AccruingList(
        items=[
            from_attributes(
                AccruingOut,
                fine,
                loan_id=fine.loan.id,
                amount_cents=fine.statement.amount_cents,
                per_day_cents=fine.loan.policy.flat_day_cents,
                loan_version=fine.loan.version,
                calendar_version=overdue.calendars[fine.loan.branch_code].version,
            )
            for fine in overdue.fines
        ],
        suspensions_version=overdue.suspensions_version,
    )


MOST_DAYS_AHEAD = 366  # a statement gets longer with each weekly closing day


class MoveOut(BaseModel):
    """A move of a due date, its cause and its time."""

    from_: date = Field(serialization_alias="from")
    to: date
    cause: str
    at: datetime

    @classmethod
    def of(cls, move: DueMove) -> "MoveOut":
        """Build the response from a move."""
        return from_attributes(cls, move, cause=move.cause.id)


class LoanOut(BaseModel):
    """A loan."""

    id: str
    patron_id: str
    title_id: str
    copy_id: str
    barcode: str
    category: str
    branch: str
    branch_kind: str
    borrowed_on: date
    due_on: date
    due_at: datetime | None = Field(
        default=None, description="Time from which a loan by hours is overdue; null: by days."
    )
    renewals: int
    renewals_left: int = Field(
        description="Renewals left today: those of the policy, and extra ones while a closure of "
        "the branch grants them. 0 if the loan is not open."
    )
    state: str
    claimed_returned_on: date | None
    lost_on: date | None
    returned_on: date | None
    policy_id: str
    policy_version: int
    moves: list[MoveOut]
    version: int

    @classmethod
    def of(cls, loan: Loan, left: Mapping[str, int]) -> "LoanOut":
        """Build the response from a loan; `left` maps loan ids to renewals left."""
        return from_attributes(
            cls,
            loan,
            category=loan.copy_category,
            branch=loan.branch_code,
            due_at=loan.due_time.at if loan.due_time else None,
            renewals_left=left.get(loan.id, 0),
            state=loan.state.value,
            policy_id=loan.policy.id,
            policy_version=loan.policy.version,
            moves=[MoveOut.of(move) for move in loan.moves],
        )


class ListedLoan(LoanOut):
    """A loan with the title of its copy."""

    title: str


class LossIn(Body):
    """The copy's price in cents, if none is recorded or another applies; staff only."""

    price_cents: int | None = Field(default=None, ge=0, le=10_000_000)


class ClaimIn(Body):
    """Day since which the copy is said to be back, by default today; staff only."""

    at: When | None = None


class LossOut(BaseModel):
    """A lost loan, its charges and its fine."""

    loan: LoanOut
    charges: list[ChargeOut]
    statement: StatementOut

    @classmethod
    def of(cls, loss: Loss) -> "LossOut":
        """Build the response from a loss."""
        return cls(
            loan=LoanOut.of(loss.loan, {}),
            charges=[ChargeOut.of(charge) for charge in loss.charges],
            statement=StatementOut.of(loss.statement),
        )


class LoanPage(BaseModel):
    """A page of loans; send `next` as `after` for the next page."""

    items: list[ListedLoan]
    next: str | None


class ItemRefusalOut(BaseModel):
    """The reason why one of several items was refused: `code` for programs, `detail` for people."""

    code: str
    detail: str
    may_be_overridden: bool = Field(
        default=False,
        description="True: staff with the right may do it all the same, with a reason.",
    )
    ways_out: list[refusals.WayOut] = Field(
        default=[],
        description="Steps after which it succeeds, the cheapest first (money, then items, then "
        "days); others are listed if they cost less of something. To ask the staff: no other way.",
    )

    @classmethod
    def of(cls, refused: refusals.ItemRefusal | None) -> "ItemRefusalOut | None":
        """Build the response from a refusal, and count it; None if nothing was refused."""
        if refused is None:
            return None
        count_refusal(refused.code)
        return cls(
            code=refused.code,
            detail=refused.reason,
            may_be_overridden=any(kind.code == refused.code for kind in refusals.MAY_BE_OVERRIDDEN),
            ways_out=list(refused.ways_out),
        )


async def _loan(db: Database, loan_id: str, caller: auth.Caller) -> Loan:
    loan = await store.find(db, loan_id)
    if loan is None or not may_see(caller, loan.patron_id):
        raise NoSuchLoan
    return loan


async def _loan_page(db: Database, found: list[Loan], page: Page, today: date) -> LoanPage:
    items = await _listed(db, found, today)
    return LoanPage(**page_of(items, page, lambda item: str(item.id)))


async def _listed(db: Database, loans: Sequence[Loan], today: date) -> list[ListedLoan]:
    left = await queries.renewals_left(db, loans, today)
    names = await catalogue_store.find_names(db, {loan.title_id for loan in loans})
    return [
        ListedLoan(**dict(LoanOut.of(loan, left)), title=names[loan.title_id]) for loan in loans
    ]


async def _shown(loan: Loan, run: Run) -> LoanOut:
    return LoanOut.of(loan, await renewals_left(run, loan))


async def renewals_left(run: Run, *loans: Loan) -> dict[str, int]:
    """Return the number of renewals left today, keyed by loan id."""
    return await queries.renewals_left(run.database, loans, day_of(None, run))


@router.post("/loans/{loan_id}/loss")
@refuses(NoSuchLoan, PriceUnknown, refusals.LoanLost, refusals.LoanNotOpen)
async def post_loss(
    loan_id: Id, caller: PatronOrStaff, run: Run, body: LossIn | None = None
) -> LossOut:
    """Declare a loan lost: patrons their own, staff any. Staff may also give the copy's price."""
    staff = "staff" in caller.roles
    command = DeclareLost(
        loan_id=loan_id,
        on=day_of(None, run),
        declared_by="staff" if staff else "patron",
        patron_id=None if staff else caller.id,
        price_cents=body.price_cents if body and staff else None,
    )
    return LossOut.of(await run(declare_lost, command))


@router.post("/loans/{loan_id}/claim")
@refuses(
    NoSuchLoan,
    refusals.LoanLost,
    refusals.LoanNotOpen,
    InTheFuture,
    refusals.ReturnedBeforeBorrowed,
)
async def post_claim(
    loan_id: Id, caller: PatronOrStaff, run: Run, body: ClaimIn | None = None
) -> LoanOut:
    """Claim that a loan was returned: patrons their own, staff any. Staff may also give the day."""
    staff = "staff" in caller.roles
    claimed = await run(
        claim_returned,
        loan_id,
        patron_id=None if staff else caller.id,
        on=day_of(body.at if body and staff else None, run),
        today=day_of(None, run),
    )
    return await _shown(claimed, run)


@router.delete("/loans/{loan_id}/claim")
@refuses(NoSuchLoan, refusals.NoClaim, refusals.LoanLost, refusals.LoanNotOpen)
async def delete_claim(loan_id: Id, _caller: Staff, run: Run) -> LoanOut:
    """Reject a claim, because the copy was not found. If it is found, take it back instead."""
    return await _shown(await run(reject_claim, loan_id), run)


@router.get("/loans")
@shows_patrons
async def get_loans(
    _caller: Staff,
    db: Db,
    page: PageQuery,
    today: Today,
    patron: Annotated[str, Query(min_length=1, max_length=64)],
    out_only: Annotated[
        bool, Query(description="True: only loans whose copy has not come back.")
    ] = False,
) -> LoanPage:
    """List a patron's loans, open and ended."""
    found = await store.find_of(db, patron, only_out=out_only, limit=page.limit, after=page.after)
    return await _loan_page(db, found, page, today)


@router.get("/me/loans")
async def get_my_loans(caller: Patron, db: Db, page: PageQuery, today: Today) -> LoanPage:
    """List the patron's open loans."""
    found = await store.find_of(db, caller.id, only_open=True, limit=page.limit, after=page.after)
    return await _loan_page(db, found, page, today)


@router.get("/loans/{loan_id}")
@refuses(NoSuchLoan)
@shows_patrons
async def get_loan(loan_id: Id, caller: PatronStaffOrService, db: Db, today: Today) -> ListedLoan:
    """Get a loan with every move of its due date."""
    [listed] = await _listed(db, [await _loan(db, loan_id, caller)], today)
    return listed


@router.get("/loans/{loan_id}/fine-statement")
@refuses(NoSuchLoan)
@shows_patrons
async def get_fine_statement(
    loan_id: Id,
    caller: PatronStaffOrService,
    db: Db,
    today: Today,
    now: Now,
    *,
    as_of: Day | None = None,
) -> FineStatementOut:
    """Get the loan's fine if it came back on `as_of` (default today), or its final fine.

    A loan that has ended has the fine as it was assessed. `as_of` may be up to 366 days ahead; a
    later day counts as that day.
    """
    loan = await _loan(db, loan_id, caller)
    day = min(as_of or today, today + timedelta(days=MOST_DAYS_AHEAD))
    fine = await queries.loan_fine(db, loan, day, None if as_of else now)
    return FineStatementOut.of_fine(fine)
