"""Lending, taking back and renewing."""

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
from services.circulation.routes.fields import Barcodes, BranchCode, Day, Id, Today, When, day_of
from services.circulation.routes.holds import HoldOut
from services.circulation.routes.patrons import ask_for_card
from services.circulation.usecases.check_out import CheckOut, Lent, Refused, check_out
from services.circulation.usecases.claim_returned import ClaimReturned, claim_returned
from services.circulation.usecases.declare_lost import DeclareLost, Loss, declare_lost
from services.circulation.usecases.reject_claim import RejectClaim, reject_claim
from services.circulation.usecases.renew_all_loans import (
    Attempt,
    RenewAllLoans,
    renew_all_loans,
)
from services.circulation.usecases.renew_loan import Renewal, RenewLoan, renew_loan
from services.circulation.usecases.return_copies import ReturnCopies, Returned, return_copies
from shared import auth
from shared.auth import Desk, Patron, PatronOrStaff, Staff, may_see
from shared.http import Body, Db, Page, PageQuery, Run, page_of
from shared.ids import card_digest
from shared.mongo import Database

router = APIRouter(prefix="/v1")

MOST_DAYS_AHEAD = 366  # a statement grows with every weekly closing


class CheckOutIn(Body):
    """Copies for the holder of a card."""

    card_number: str = Field(min_length=1, max_length=64)
    barcodes: Barcodes
    branch: BranchCode
    at: When | None = None
    offline: bool = Field(
        default=False,
        description="The copies have left the library already, at `at`: the station could not ask.",
    )

    @model_validator(mode="after")
    def _when_it_was(self) -> "CheckOutIn":
        if self.offline and self.at is None:
            raise ValueError("an offline check-out says when it was (`at`)")
        return self


class ReturnIn(Body):
    """Copies that came back."""

    barcodes: Barcodes
    branch: BranchCode
    channel: Channel
    at: When | None = None


class MoveOut(BaseModel):
    """A due date that moved, by what and when."""

    from_: date = Field(serialization_alias="from")
    to: date
    cause: str
    at: datetime

    @classmethod
    def of(cls, move: DueMove) -> "MoveOut":
        """From the move."""
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
        description="By the policy. A closure of the branch may grant more while it lasts."
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
    def of(cls, loan: Loan) -> "LoanOut":
        """From the loan."""
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
            renewals_left=loan.renewals_left,
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
    """A price in cents, where the copy has none or another; staff only."""

    price_cents: int | None = Field(default=None, ge=0, le=10_000_000)


class ClaimIn(Body):
    """Since when it is said to be back, if that is another day than today; staff only."""

    at: When | None = None


class LossOut(BaseModel):
    """A lost loan, and what it costs."""

    loan: LoanOut
    charges: list[ChargeOut]
    statement: StatementOut

    @classmethod
    def of(cls, loss: Loss) -> "LossOut":
        """From the loss."""
        return cls(
            loan=LoanOut.of(loss.loan),
            charges=[ChargeOut.of(charge) for charge in loss.charges],
            statement=StatementOut.of(loss.statement),
        )


class LoanPage(BaseModel):
    """Some loans, and where the next ones begin."""

    items: list[LoanOut]
    next: str | None


class Refusal(BaseModel):
    """Why one of several was refused: `code` for programs, `detail` for people."""

    code: str
    detail: str

    @classmethod
    def of(cls, refused: Refused | None) -> "Refusal | None":
        """From the refusal, if it is one."""
        return cls(code=refused.code, detail=refused.reason) if refused else None


class LentOut(BaseModel):
    """What became of one copy."""

    barcode: str
    ok: bool
    loan: LoanOut | None = None
    problem: Refusal | None = None

    @classmethod
    def of(cls, lent: Lent) -> "LentOut":
        """From the outcome."""
        return cls(
            barcode=lent.barcode,
            ok=lent.loan is not None,
            loan=LoanOut.of(lent.loan) if lent.loan else None,
            problem=Refusal.of(lent.refused),
        )


class CheckOutOut(BaseModel):
    """What became of each copy, in the order asked."""

    results: list[LentOut]


class ReturnedOut(BaseModel):
    """What became of one copy; a charge only if something is owed."""

    barcode: str
    ok: bool
    loan: LoanOut | None = None
    charge: ChargeOut | None = None
    statement: StatementOut | None = None
    hold: HoldOut | None = Field(default=None, description="What the copy is kept or sent for.")
    copy_: CopyDetail | None = Field(default=None, serialization_alias="copy")
    problem: Refusal | None = None

    @classmethod
    def of(cls, returned: Returned) -> "ReturnedOut":
        """From the outcome."""
        return cls(
            barcode=returned.barcode,
            ok=returned.loan is not None,
            loan=LoanOut.of(returned.loan) if returned.loan else None,
            charge=ChargeOut.of(returned.charge) if returned.charge else None,
            statement=StatementOut.of(returned.statement) if returned.statement else None,
            hold=HoldOut.of(returned.hold, None) if returned.hold else None,
            copy_=CopyDetail.of(returned.copy) if returned.copy else None,
            problem=Refusal.of(returned.refused),
        )


class ReturnOut(BaseModel):
    """What became of each copy, in the order asked."""

    results: list[ReturnedOut]


class RenewalOut(BaseModel):
    """A renewed loan, what to quote, and what the days before cost if it was overdue."""

    loan: LoanOut
    reference: str
    charge: ChargeOut | None
    statement: StatementOut

    @classmethod
    def of(cls, renewal: Renewal) -> "RenewalOut":
        """From the renewal."""
        return cls(
            loan=LoanOut.of(renewal.loan),
            reference=renewal.reference,
            charge=ChargeOut.of(renewal.charge) if renewal.charge else None,
            statement=StatementOut.of(renewal.statement),
        )


class AttemptOut(BaseModel):
    """What became of one loan."""

    loan_id: str
    ok: bool
    loan: LoanOut | None = None
    reference: str | None = None
    charge: ChargeOut | None = None
    problem: Refusal | None = None

    @classmethod
    def of(cls, attempt: Attempt) -> "AttemptOut":
        """From the outcome."""
        renewal = RenewalOut.of(attempt.renewal) if attempt.renewal else None
        return cls(
            loan_id=attempt.loan_id,
            ok=renewal is not None,
            loan=renewal.loan if renewal else None,
            reference=renewal.reference if renewal else None,
            charge=renewal.charge if renewal else None,
            problem=Refusal.of(attempt.refused),
        )


class RenewAllOut(BaseModel):
    """What became of each open loan, in the order of borrowing."""

    results: list[AttemptOut]


async def _loan(db: Database, loan_id: str, caller: auth.Caller) -> Loan:
    loan = await queries.loan(db, loan_id)
    if loan is None or not may_see(caller, loan.patron_id):
        raise NoSuchLoan
    return loan


def _loan_page(found: list[Loan], page: Page) -> LoanPage:
    return LoanPage(
        **page_of([LoanOut.of(loan) for loan in found], page, lambda item: str(item.id))
    )


@router.post("/checkouts")
async def post_checkout(body: CheckOutIn, _caller: Desk, run: Run) -> CheckOutOut:
    """Lend copies; each stands or falls alone.

    With `offline` a station reports what it has lent: a copy that is free is on loan from then on,
    and what the rules say against it is the `problem` beside the loan, and a conflict for staff.
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
        # Registered a moment ago, perhaps, and the event is under way: accounts knows.
        patron = await ask_for_card(run.owners, body.card_number, run.now)
        if patron is None:
            raise
        results = await run(check_out, replace(command, patron=patron))
    return CheckOutOut(results=[LentOut.of(lent) for lent in results])


@router.post("/returns")
async def post_return(body: ReturnIn, _caller: Desk, run: Run) -> ReturnOut:
    """Take copies back, at any branch; each stands or falls alone.

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


@router.post("/loans/{loan_id}/renewals")
async def post_renewal(loan_id: Id, caller: PatronOrStaff, run: Run) -> RenewalOut:
    """Renew a loan: the patron their own, staff anyone's.

    409 `hold-waiting`, `renewal-limit`, `patron-blocked`, `loan-claimed`, `loan-lost` or
    `loan-not-open`.
    """
    command = RenewLoan(
        loan_id=loan_id,
        patron_id=None if "staff" in caller.roles else caller.id,
        on=day_of(None, run),
    )
    return RenewalOut.of(await run(renew_loan, command))


@router.post("/me/renewals")
async def post_renewals(caller: Patron, run: Run) -> RenewAllOut:
    """Renew all of the patron's loans; each stands or falls alone."""
    command = RenewAllLoans(caller.id, day_of(None, run))
    attempts = await run(renew_all_loans, command)
    return RenewAllOut(results=[AttemptOut.of(attempt) for attempt in attempts])


@router.post("/loans/{loan_id}/loss")
async def post_loss(
    loan_id: Id, caller: PatronOrStaff, run: Run, body: LossIn | None = None
) -> LossOut:
    """Declare a loan lost: the patron their own, staff anyone's, who may also give its price.

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
    """Say that a loan was returned: the patron their own, staff anyone's, who may say since when.

    409 `loan-lost`, `loan-not-open`, `in-the-future` or `returned-before-borrowed`.
    """
    staff = "staff" in caller.roles
    command = ClaimReturned(
        loan_id=loan_id,
        patron_id=None if staff else caller.id,
        on=day_of(body.at if body and staff else None, run),
        today=day_of(None, run),
    )
    return LoanOut.of(await run(claim_returned, command))


@router.delete("/loans/{loan_id}/claim")
async def delete_claim(loan_id: Id, _caller: Staff, run: Run) -> LoanOut:
    """Reject a claim: it was looked for and not found. If it is found, it is taken back instead.

    409 `no-claim`, `loan-lost` or `loan-not-open`.
    """
    return LoanOut.of(await run(reject_claim, RejectClaim(loan_id)))


@router.get("/loans")
async def get_loans(
    _caller: Staff,
    db: Db,
    page: PageQuery,
    patron: Annotated[str, Query(min_length=1, max_length=64)],
) -> LoanPage:
    """A patron's loans, those that have ended too."""
    found = await queries.loans_of(db, patron, page.limit, page.after, only_open=False)
    return _loan_page(found, page)


@router.get("/me/loans")
async def get_my_loans(caller: Patron, db: Db, page: PageQuery) -> LoanPage:
    """The patron's open loans."""
    found = await queries.loans_of(db, caller.id, page.limit, page.after, only_open=True)
    return _loan_page(found, page)


@router.get("/loans/{loan_id}")
async def get_loan(loan_id: Id, caller: PatronOrStaff, db: Db) -> LoanOut:
    """A loan, with every move of its due date."""
    return LoanOut.of(await _loan(db, loan_id, caller))


@router.get("/loans/{loan_id}/fine-statement")
async def get_fine_statement(
    loan_id: Id, caller: PatronOrStaff, db: Db, today: Today, as_of: Day | None = None
) -> FineStatementOut:
    """The loan's fine if it came back on `as_of` (today); once returned, as it was assessed.

    `as_of` may be a year ahead; later days are answered as that day.
    """
    loan = await _loan(db, loan_id, caller)
    latest = today + timedelta(days=MOST_DAYS_AHEAD)
    account = await queries.account(db, loan, min(as_of or today, latest))
    return FineStatementOut.of_account(account)
