"""Routes that lend copies, take them back, and show loans."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import (
    BaseModel,
    Field,
    model_validator,
)

from services.circulation import queries
from services.circulation.domain.loan import Channel, DueMove, Loan
from services.circulation.domain.refusals import NoSuchCard, NoSuchLoan
from services.circulation.routes.charges import ChargeOut, FineStatementOut, StatementOut
from services.circulation.routes.copies import CopyDetail
from services.circulation.routes.fields import Barcodes, BranchCode, Id, Today, When, day_of
from services.circulation.routes.holds import HoldOut
from services.circulation.routes.patrons import ask_for_card
from services.circulation.usecases.check_out import CheckOut, Lent, Refused, check_out
from services.circulation.usecases.claim_returned import ClaimReturned, claim_returned
from services.circulation.usecases.declare_lost import DeclareLost, Loss, declare_lost
from services.circulation.usecases.reject_claim import RejectClaim, reject_claim
from services.circulation.usecases.return_copies import ReturnCopies, Returned, return_copies
from shared import auth
from shared.auth import Desk, Patron, PatronOrStaff, Staff, may_see
from shared.http.bodies import Body, Day
from shared.http.dependencies import Db, Run
from shared.http.paging import Page, PageQuery, page_of
from shared.ids import card_digest
from shared.mongo import Database

router = APIRouter(prefix="/v1")

MOST_DAYS_AHEAD = 366  # a statement gets longer with each weekly closing day


class CheckOutIn(Body):
    """Copies to lend to the holder of a card."""

    card_number: str = Field(min_length=1, max_length=64)
    barcodes: Barcodes
    branch: BranchCode
    at: When | None = None
    offline: bool = Field(
        default=False,
        description="True: the copies already left the library, at the time `at`, while the "
        "station was offline.",
    )

    @model_validator(mode="after")
    def _when_it_was(self) -> "CheckOutIn":
        if self.offline and self.at is None:
            raise ValueError("an offline check-out says when it was (`at`)")
        return self


class ReturnIn(Body):
    """Copies to take back."""

    barcodes: Barcodes
    branch: BranchCode
    channel: Channel
    at: When | None = None


class MoveOut(BaseModel):
    """A move of a due date, its cause and its time."""

    from_: date = Field(serialization_alias="from")
    to: date
    cause: str
    at: datetime

    @classmethod
    def of(cls, move: DueMove) -> "MoveOut":
        """Build the response from a move."""
        return cls(from_=move.from_, to=move.to, cause=move.cause.id, at=move.at)


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
        return cls(
            id=loan.id,
            patron_id=loan.patron_id,
            title_id=loan.title_id,
            copy_id=loan.copy_id,
            barcode=loan.barcode,
            category=loan.copy_category,
            branch=loan.branch_code,
            branch_kind=loan.branch_kind,
            borrowed_on=loan.borrowed_on,
            due_on=loan.due_on,
            renewals=loan.renewals,
            renewals_left=left.get(loan.id, 0),
            state=loan.state.value,
            claimed_returned_on=loan.claimed_returned_on,
            lost_on=loan.lost_on,
            returned_on=loan.returned_on,
            policy_id=loan.policy.id,
            policy_version=loan.policy.version,
            moves=[MoveOut.of(move) for move in loan.moves],
            version=loan.version,
        )


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

    items: list[LoanOut]
    next: str | None


class Refusal(BaseModel):
    """The reason why one of several items was refused: `code` for programs, `detail` for people."""

    code: str
    detail: str

    @classmethod
    def of(cls, refused: Refused | None) -> "Refusal | None":
        """Build the response from a refusal; None if nothing was refused."""
        return cls(code=refused.code, detail=refused.reason) if refused else None


class LentOut(BaseModel):
    """The result of lending one copy."""

    barcode: str
    ok: bool
    loan: LoanOut | None = None
    problem: Refusal | None = None

    @classmethod
    def of(cls, lent: Lent) -> "LentOut":
        """Build the response from the outcome."""
        loan = lent.loan
        return cls(
            barcode=lent.barcode,
            ok=loan is not None,
            loan=LoanOut.of(loan, {loan.id: lent.renewals_left}) if loan else None,
            problem=Refusal.of(lent.refused),
        )


class CheckOutOut(BaseModel):
    """The result for each copy, in the order of the request."""

    results: list[LentOut]


class ReturnedOut(BaseModel):
    """The result of taking back one copy; it has a charge only if something is owed.

    A copy that was in transit, to be fetched or missing is received; the result then has no loan.
    """

    barcode: str
    ok: bool
    loan: LoanOut | None = None
    charge: ChargeOut | None = None
    statement: StatementOut | None = None
    hold: HoldOut | None = Field(
        default=None, description="The hold that the copy is kept or sent for; null: no hold."
    )
    copy_: CopyDetail | None = Field(default=None, serialization_alias="copy")
    problem: Refusal | None = None

    @classmethod
    def of(cls, returned: Returned) -> "ReturnedOut":
        """Build the response from the outcome."""
        return cls(
            barcode=returned.barcode,
            ok=returned.refused is None,
            loan=LoanOut.of(returned.loan, {}) if returned.loan else None,
            charge=ChargeOut.of(returned.charge) if returned.charge else None,
            statement=StatementOut.of(returned.statement) if returned.statement else None,
            hold=HoldOut.of(returned.hold, None) if returned.hold else None,
            copy_=CopyDetail.of(returned.copy) if returned.copy else None,
            problem=Refusal.of(returned.refused),
        )


class ReturnOut(BaseModel):
    """The result for each copy, in the order of the request."""

    results: list[ReturnedOut]


async def _loan(db: Database, loan_id: str, caller: auth.Caller) -> Loan:
    loan = await queries.loan(db, loan_id)
    if loan is None or not may_see(caller, loan.patron_id):
        raise NoSuchLoan
    return loan


async def _loan_page(db: Database, found: list[Loan], page: Page, today: date) -> LoanPage:
    left = await queries.renewals_left(db, found, today)
    return LoanPage(
        **page_of([LoanOut.of(loan, left) for loan in found], page, lambda item: str(item.id))
    )


async def _shown(loan: Loan, run: Run) -> LoanOut:
    return LoanOut.of(loan, await renewals_left(run, loan))


async def renewals_left(run: Run, *loans: Loan) -> dict[str, int]:
    """Return the number of renewals left today, keyed by loan id."""
    return await queries.renewals_left(run.database, loans, day_of(None, run))


@router.post("/checkouts")
async def post_checkout(body: CheckOutIn, _caller: Desk, run: Run) -> CheckOutOut:
    """Lend copies; each succeeds or fails on its own.

    With `offline`, a station reports check-outs that already happened. A free copy is then on loan
    from that time; if the rules forbid the check-out, the result has the `problem` beside the loan,
    and staff get a conflict to settle.
    404 `no-such-card` or `unknown-branch`, 409 `in-the-future` or `too-long-ago` refuse all; a copy
    is refused with `no-such-copy`, `copy-on-loan`, `copy-kept`, `copy-lost`, `copy-damaged`,
    `copy-withdrawn`, `lent-before-return`, `loan-limit` or `patron-blocked`.
    """
    command = CheckOut(
        card_digest=card_digest(body.card_number, run.settings.card_key),
        barcodes=body.barcodes,
        branch=body.branch,
        on=day_of(body.at, run),
        today=day_of(None, run),
        offline=body.offline,
    )
    try:
        results = await run(check_out, command)
    except NoSuchCard:
        # A patron registered a moment ago may be known to accounts before the event arrives here.
        patron = await ask_for_card(run.owners, body.card_number, run.now)
        if patron is None:
            raise
        results = await run(check_out, replace(command, patron=patron))
    return CheckOutOut(results=[LentOut.of(lent) for lent in results])


@router.post("/returns")
async def post_return(body: ReturnIn, _caller: Desk, run: Run) -> ReturnOut:
    """Take copies back at any branch; each succeeds or fails on its own.

    A copy that was in transit or to be fetched is received. At the pick-up branch its hold becomes
    `ready`; at any other branch the copy is sent on to the pick-up branch. A missing copy can be
    lent again.

    404 `unknown-branch` and 409 `in-the-future` refuse all; a copy is refused with `no-such-copy`,
    `not-on-loan` or `returned-before-borrowed`.
    """
    command = ReturnCopies(
        barcodes=body.barcodes,
        branch=body.branch,
        channel=body.channel,
        on=day_of(body.at, run),
        today=day_of(None, run),
    )
    results = await run(return_copies, command)
    return ReturnOut(results=[ReturnedOut.of(returned) for returned in results])


@router.post("/loans/{loan_id}/loss")
async def post_loss(
    loan_id: Id, caller: PatronOrStaff, run: Run, body: LossIn | None = None
) -> LossOut:
    """Declare a loan lost: patrons their own, staff any. Staff may also give the copy's price.

    409 `price-unknown`, `loan-lost` or `loan-not-open`.
    """
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
async def post_claim(
    loan_id: Id, caller: PatronOrStaff, run: Run, body: ClaimIn | None = None
) -> LoanOut:
    """Claim that a loan was returned: patrons their own, staff any. Staff may also give the day.

    409 `loan-lost`, `loan-not-open`, `in-the-future` or `returned-before-borrowed`.
    """
    staff = "staff" in caller.roles
    command = ClaimReturned(
        loan_id=loan_id,
        patron_id=None if staff else caller.id,
        on=day_of(body.at if body and staff else None, run),
        today=day_of(None, run),
    )
    return await _shown(await run(claim_returned, command), run)


@router.delete("/loans/{loan_id}/claim")
async def delete_claim(loan_id: Id, _caller: Staff, run: Run) -> LoanOut:
    """Reject a claim, because the copy was not found. If it is found, take it back instead.

    409 `no-claim`, `loan-lost` or `loan-not-open`.
    """
    return await _shown(await run(reject_claim, RejectClaim(loan_id)), run)


@router.get("/loans")
async def get_loans(
    _caller: Staff,
    db: Db,
    page: PageQuery,
    today: Today,
    patron: Annotated[str, Query(min_length=1, max_length=64)],
) -> LoanPage:
    """List a patron's loans, open and ended."""
    found = await queries.loans_of(db, patron, page.limit, page.after, only_open=False)
    return await _loan_page(db, found, page, today)


@router.get("/me/loans")
async def get_my_loans(caller: Patron, db: Db, page: PageQuery, today: Today) -> LoanPage:
    """List the patron's open loans."""
    found = await queries.loans_of(db, caller.id, page.limit, page.after, only_open=True)
    return await _loan_page(db, found, page, today)


@router.get("/loans/{loan_id}")
async def get_loan(loan_id: Id, caller: PatronOrStaff, db: Db, today: Today) -> LoanOut:
    """Get a loan with every move of its due date."""
    loan = await _loan(db, loan_id, caller)
    return LoanOut.of(loan, await queries.renewals_left(db, [loan], today))


@router.get("/loans/{loan_id}/fine-statement")
async def get_fine_statement(
    loan_id: Id, caller: PatronOrStaff, db: Db, today: Today, as_of: Day | None = None
) -> FineStatementOut:
    """Get the loan's fine if it came back on `as_of` (default today), or its final fine.

    A loan that has ended has the fine as it was assessed. `as_of` may be up to 366 days ahead; a
    later day counts as that day.
    """
    loan = await _loan(db, loan_id, caller)
    latest = today + timedelta(days=MOST_DAYS_AHEAD)
    account = await queries.account(db, loan, min(as_of or today, latest))
    return FineStatementOut.of_account(account)
