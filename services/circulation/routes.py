"""HTTP of circulation."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    StringConstraints,
    field_validator,
)

from services.circulation import queries
from services.circulation.domain.charge import Charge
from services.circulation.domain.fines import Statement, as_document
from services.circulation.domain.loan import Channel, DueMove, Loan
from services.circulation.domain.patron import Patron as KnownPatron
from services.circulation.domain.policy import Policy
from services.circulation.domain.refusals import NoSuchCard, NoSuchLoan, NoSuchSuspension
from services.circulation.domain.suspension import FineSuspension
from services.circulation.domain.title import Copy, CopyCategory, Title, normal_isbn
from services.circulation.usecases.announce_resumption import (
    AnnounceResumption,
    announce_resumption,
)
from services.circulation.usecases.catalogue_title import (
    CatalogueTitle,
    NewCopy,
    catalogue_title,
)
from services.circulation.usecases.check_out import CheckOut, Lent, Refused, check_out
from services.circulation.usecases.renew_all_loans import (
    Attempt,
    RenewAllLoans,
    renew_all_loans,
)
from services.circulation.usecases.renew_loan import Renewal, RenewLoan, renew_loan
from services.circulation.usecases.return_copies import ReturnCopies, Returned, return_copies
from services.circulation.usecases.suspend_fines import SuspendFines, suspend_fines
from shared import auth, unit_of_work
from shared.auth import AnyCaller, Desk, Forbidden, Patron, PatronOrStaff, Staff, may_see
from shared.clock import library_day, parse_instant
from shared.contracts.circulation import SpanOut
from shared.http import Body, BusinessTime, Db, NotFound, Page, PageQuery, Run, page_of
from shared.ids import card_digest
from shared.mongo import Database
from shared.owners import Owners

router = APIRouter(prefix="/v1")


# ---- what is sent and answered ------------------------------------------------------------------


FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(2999, 12, 31)
MOST_DAYS_AHEAD = 366  # a statement grows with every weekly closing


def _when(value: object) -> object:
    """A day, or an instant with its offset."""
    if not isinstance(value, str) or not FIRST_DAY.isoformat() < value < LAST_DAY.isoformat():
        raise ValueError("should be a day or an instant, as text")
    return date.fromisoformat(value) if len(value) == 10 else parse_instant(value)


def _distinct(barcodes: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(barcodes)) < len(barcodes):
        raise ValueError("a barcode is given twice")
    return barcodes


def _line(text: str) -> str:
    """With single spaces, whichever of Unicode's it had (Chinese has its own)."""
    line = " ".join(text.split())
    if not line.isprintable():
        raise ValueError("has characters that cannot be printed")
    return line


Line = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=500),
    AfterValidator(_line),
]
Barcode = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,40}$")]
Barcodes = Annotated[
    tuple[Barcode, ...], Field(min_length=1, max_length=50), AfterValidator(_distinct)
]
BranchCode = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,20}$")]
BranchKind = Literal["central", "major", "district", "small", "mobile", "station"]
When = Annotated[
    date | datetime,
    BeforeValidator(_when),
    Field(description="A day of the library, or an instant with its offset."),
]
Day = Annotated[date, Field(ge=FIRST_DAY, le=LAST_DAY)]
Isbn = Annotated[str, StringConstraints(max_length=30), AfterValidator(normal_isbn)]
Id = Annotated[str, Path(max_length=64)]


class CopyIn(Body):
    """A copy to be catalogued."""

    barcode: Barcode
    category: CopyCategory
    branch: BranchCode
    price_cents: int | None = Field(default=None, ge=0, le=10_000_000)


class TitleIn(Body):
    """A title to be catalogued with its copies."""

    title: Line
    authors: tuple[Line, ...] = Field(max_length=50)
    isbn: Isbn | None = None
    kind: str = Field(pattern=r"^[a-z][a-z-]{0,39}$", description="As `book`.")
    copies: tuple[CopyIn, ...] = Field(max_length=500)

    @field_validator("copies")
    @classmethod
    def _each_once(cls, copies: tuple[CopyIn, ...]) -> tuple[CopyIn, ...]:
        _distinct(tuple(copy.barcode for copy in copies))
        return copies


class CheckOutIn(Body):
    """Copies for the holder of a card."""

    card_number: str = Field(min_length=1, max_length=64)
    barcodes: Barcodes
    branch: BranchCode
    at: When | None = None


class ReturnIn(Body):
    """Copies that came back."""

    barcodes: Barcodes
    branch: BranchCode
    channel: Channel
    at: When | None = None


class SuspensionIn(Body):
    """A fine suspension; without branches and kinds it is for the whole library."""

    starts_on: Day
    resumes_on: Day | None = None
    branches: frozenset[BranchCode] = Field(default=frozenset(), max_length=500)
    kinds: frozenset[BranchKind] = frozenset()
    reason: Line


class ResumptionIn(Body):
    """The first day on which fines are counted again; null takes an announced day back."""

    resumes_on: Day | None


class CopyOut(BaseModel):
    """A copy of a title."""

    copy_id: str
    barcode: str
    category: str
    branch: str
    state: str
    price_cents: int | None

    @classmethod
    def of(cls, copy: Copy) -> "CopyOut":
        """From the copy."""
        return cls(
            copy_id=copy.id,
            barcode=copy.barcode,
            category=copy.category,
            branch=copy.branch_code,
            state=copy.state.value,
            price_cents=copy.price_cents,
        )


class TitleOut(BaseModel):
    """A title."""

    id: str
    title: str
    authors: tuple[str, ...]
    isbn: str | None
    kind: str
    version: int

    @classmethod
    def of(cls, title: Title) -> "TitleOut":
        """From the title."""
        return cls(
            id=title.id,
            title=title.title,
            authors=title.authors,
            isbn=title.isbn,
            kind=title.kind,
            version=title.version,
        )


class StockOut(BaseModel):
    """How many copies a branch has, and how many of them can be borrowed now."""

    branch: str
    copies: int
    available: int


class TitleInFull(TitleOut):
    """A title with its copies."""

    copies: list[CopyOut]
    availability: list[StockOut]

    @classmethod
    def with_copies(cls, title: Title, copies: list[Copy]) -> "TitleInFull":
        """From the title and its copies."""
        return cls(
            **TitleOut.of(title).model_dump(),
            copies=[CopyOut.of(copy) for copy in copies],
            availability=[
                StockOut(branch=stock.branch, copies=stock.copies, available=stock.available)
                for stock in queries.stock(copies)
            ],
        )


class TitlePage(BaseModel):
    """Some titles, and where the next ones begin."""

    items: list[TitleOut]
    next: str | None


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
    renewals_left: int
    state: str
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
            returned_on=loan.returned_on,
            policy_id=loan.policy.id,
            policy_version=loan.policy.version,
            moves=[MoveOut.of(move) for move in loan.moves],
            version=loan.version,
        )


class LoanPage(BaseModel):
    """Some loans, and where the next ones begin."""

    items: list[LoanOut]
    next: str | None


class StatementOut(BaseModel):
    """A fine, every overdue day accounted for. Money in cents."""

    due_on: date | None = Field(description="The day after which days count; null: not overdue.")
    charged_days: int
    amount_cents: int
    currency: str = "HKD"
    spans: list[SpanOut]

    @classmethod
    def of(cls, fine: Statement) -> "StatementOut":
        """From the statement."""
        return cls.model_validate(as_document(fine))


class FineStatementOut(StatementOut):
    """The fine of one loan if it came back on `as_of`."""

    loan_id: str
    as_of: date
    overdue: bool
    suspended: bool = Field(description="Whether the lending branch's fines are free on `as_of`.")
    resumes_on: date | None = Field(description="When they are counted again, if announced.")

    @classmethod
    def of_account(cls, account: queries.Account) -> "FineStatementOut":
        """From the account of a loan."""
        return cls.model_validate(
            {
                **as_document(account.statement),
                "loan_id": account.loan.id,
                "as_of": account.as_of,
                "overdue": account.overdue,
                "suspended": account.suspended,
                "resumes_on": account.resumes_on,
            }
        )


class AccruingOut(BaseModel):
    """What an open loan past its stored due date would cost today."""

    loan_id: str
    overdue: bool
    amount_cents: int
    as_of: date
    suspended: bool
    resumes_on: date | None


class AccruingList(BaseModel):
    """All of a patron's."""

    items: list[AccruingOut]


class ChargeOut(BaseModel):
    """Money owed."""

    id: str
    patron_id: str
    loan_id: str | None
    kind: str
    amount_cents: int
    outstanding_cents: int
    currency: str = "HKD"
    assessed_on: date
    statement: StatementOut | None
    version: int

    @classmethod
    def of(cls, charge: Charge) -> "ChargeOut":
        """From the charge."""
        return cls(
            id=charge.id,
            patron_id=charge.patron_id,
            loan_id=charge.loan_id,
            kind=charge.kind.value,
            amount_cents=charge.amount_cents,
            outstanding_cents=charge.outstanding_cents,
            assessed_on=charge.assessed_on,
            statement=StatementOut.of(charge.statement) if charge.statement else None,
            version=charge.version,
        )


class ChargePage(BaseModel):
    """Some charges, and where the next ones begin."""

    items: list[ChargeOut]
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


class SuspensionOut(BaseModel):
    """A fine suspension."""

    id: str
    starts_on: date
    resumes_on: date | None
    branches: list[str]
    kinds: list[str]
    reason: str
    version: int

    @classmethod
    def of(cls, suspension: FineSuspension) -> "SuspensionOut":
        """From the suspension."""
        return cls(
            id=suspension.id,
            starts_on=suspension.starts_on,
            resumes_on=suspension.resumes_on,
            branches=sorted(suspension.branches),
            kinds=sorted(suspension.kinds),
            reason=suspension.reason,
            version=suspension.version,
        )


class SuspensionList(BaseModel):
    """Every fine suspension."""

    items: list[SuspensionOut]


class PatronId(BaseModel):
    """A patron."""

    patron_id: str


class PatronPage(BaseModel):
    """Some patrons, and where the next ones begin."""

    items: list[PatronId]
    next: str | None


class PolicyList(BaseModel):
    """The policy rows in force."""

    items: list[Policy]


# ---- what routes are handed ---------------------------------------------------------------------


async def _today(request: Request, now: BusinessTime) -> date:
    return library_day(now, request.app.state.settings.zone)


async def _staff_or_service(caller: AnyCaller) -> auth.Caller:
    if not caller.roles & {"staff", "service"}:
        raise Forbidden
    return caller


Today = Annotated[date, Depends(_today)]
"""The library day of business time."""
StaffOrService = Annotated[auth.Caller, Depends(_staff_or_service)]


def _day(at: date | datetime | None, run: unit_of_work.Run) -> date:
    """The library day that a command is about: that of `at`, or today."""
    if isinstance(at, datetime):
        return library_day(at, run.settings.zone)
    return at or library_day(run.now, run.settings.zone)


async def _ask_accounts(owners: Owners, card_number: str, now: datetime) -> KnownPatron | None:
    """The patron of a card not heard of yet: registered a moment ago, or nobody."""
    answer = await owners.get("accounts", "/v1/patrons", now=now, params={"card": card_number})
    for found in (answer or {}).get("items", ()):
        return KnownPatron(
            id=found["id"],
            category=found["category"],
            blocked=found["status"] != "active",
            version=found["version"],
            card_digest=found["card_digest"],
        )
    return None


async def _loan(db: Database, loan_id: str, caller: auth.Caller) -> Loan:
    loan = await queries.loan(db, loan_id)
    if loan is None or not may_see(caller, loan.patron_id):
        raise NoSuchLoan
    return loan


def _loan_page(found: list[Loan], page: Page) -> LoanPage:
    return LoanPage(
        **page_of([LoanOut.of(loan) for loan in found], page, lambda item: str(item.id))
    )


# ---- catalogue ----------------------------------------------------------------------------------


@router.post("/titles", status_code=201)
async def post_title(body: TitleIn, _caller: Staff, run: Run) -> TitleInFull:
    """Catalogue a title with its copies. 409 `barcode-taken`."""
    command = CatalogueTitle(
        title=body.title,
        authors=body.authors,
        isbn=body.isbn,
        kind=body.kind,
        copies=tuple(
            NewCopy(copy.barcode, copy.category, copy.branch, copy.price_cents)
            for copy in body.copies
        ),
    )
    catalogued = await run(catalogue_title, command)
    return TitleInFull.with_copies(catalogued.title, list(catalogued.copies))


@router.get("/titles")
async def get_titles(
    db: Db, page: PageQuery, q: Annotated[str, Query(max_length=200)] = ""
) -> TitlePage:
    """Titles in which every word of `q` begins a word of title, authors or ISBN."""
    found = await queries.titles(db, q, page.limit, page.after)
    items = [TitleOut.of(title) for title in found]
    return TitlePage(**page_of(items, page, lambda item: str(item.id)))


@router.get("/titles/{title_id}")
async def get_title(title_id: Id, db: Db) -> TitleInFull:
    """A title with its copies and their availability by branch."""
    found = await queries.title(db, title_id)
    if found is None:
        raise NotFound("title")
    return TitleInFull.with_copies(*found)


# ---- lending ------------------------------------------------------------------------------------


@router.post("/checkouts")
async def post_checkout(body: CheckOutIn, _caller: Desk, run: Run) -> CheckOutOut:
    """Lend copies; each stands or falls alone.

    404 `no-such-card` or `unknown-branch`, 409 `in-the-future` or `too-long-ago` refuse all.
    """
    command = CheckOut(
        card_digest=card_digest(body.card_number, run.settings.card_key),
        barcodes=body.barcodes,
        branch=body.branch,
        on=_day(body.at, run),
        today=_day(None, run),
    )
    try:
        results = await run(check_out, command)
    except NoSuchCard:
        # Registered a moment ago, perhaps, and the event is under way: accounts knows.
        patron = await _ask_accounts(run.owners, body.card_number, run.now)
        if patron is None:
            raise
        results = await run(check_out, replace(command, patron=patron))
    return CheckOutOut(results=[LentOut.of(lent) for lent in results])


@router.post("/returns")
async def post_return(body: ReturnIn, _caller: Desk, run: Run) -> ReturnOut:
    """Take copies back, at any branch; each stands or falls alone.

    404 `unknown-branch` and 409 `in-the-future` refuse all.
    """
    command = ReturnCopies(
        barcodes=body.barcodes,
        branch=body.branch,
        channel=body.channel,
        on=_day(body.at, run),
        today=_day(None, run),
    )
    results = await run(return_copies, command)
    return ReturnOut(results=[ReturnedOut.of(returned) for returned in results])


@router.post("/loans/{loan_id}/renewals")
async def post_renewal(loan_id: Id, caller: PatronOrStaff, run: Run) -> RenewalOut:
    """Renew a loan: the patron their own, staff anyone's."""
    command = RenewLoan(
        loan_id=loan_id,
        patron_id=None if "staff" in caller.roles else caller.id,
        on=_day(None, run),
    )
    return RenewalOut.of(await run(renew_loan, command))


@router.post("/me/renewals")
async def post_renewals(caller: Patron, run: Run) -> RenewAllOut:
    """Renew all of the patron's loans; each stands or falls alone."""
    command = RenewAllLoans(caller.id, _day(None, run))
    attempts = await run(renew_all_loans, command)
    return RenewAllOut(results=[AttemptOut.of(attempt) for attempt in attempts])


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


# ---- what is owed -------------------------------------------------------------------------------


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


@router.get("/me/accruing")
async def get_accruing(caller: Patron, db: Db, today: Today) -> AccruingList:
    """What the patron's open loans past their due dates would cost if they came back today."""
    accounts = await queries.overdue_accounts(db, caller.id, today)
    return AccruingList(
        items=[
            AccruingOut(
                loan_id=account.loan.id,
                overdue=account.overdue,
                amount_cents=account.statement.amount_cents,
                as_of=account.as_of,
                suspended=account.suspended,
                resumes_on=account.resumes_on,
            )
            for account in accounts
        ]
    )


@router.get("/charges/{charge_id}")
async def get_charge(charge_id: Id, caller: PatronOrStaff, db: Db) -> ChargeOut:
    """A charge with its statement."""
    charge = await queries.charge(db, charge_id)
    if charge is None or not may_see(caller, charge.patron_id):
        raise NotFound("charge")
    return ChargeOut.of(charge)


@router.get("/me/charges")
async def get_my_charges(caller: Patron, db: Db, page: PageQuery) -> ChargePage:
    """The patron's charges."""
    found = await queries.charges_of(db, caller.id, page.limit, page.after)
    items = [ChargeOut.of(charge) for charge in found]
    return ChargePage(**page_of(items, page, lambda item: str(item.id)))


# ---- suspensions and policies -------------------------------------------------------------------


@router.post("/fine-suspensions", status_code=201)
async def post_suspension(body: SuspensionIn, _caller: Staff, run: Run) -> SuspensionOut:
    """Suspend fines. 409 `resumes-before-start`."""
    command = SuspendFines(
        starts_on=body.starts_on,
        resumes_on=body.resumes_on,
        branches=body.branches,
        kinds=frozenset(body.kinds),
        reason=body.reason,
    )
    return SuspensionOut.of(await run(suspend_fines, command))


@router.patch("/fine-suspensions/{suspension_id}")
async def patch_suspension(
    suspension_id: Id, body: ResumptionIn, _caller: Staff, run: Run
) -> SuspensionOut:
    """Announce when fines are counted again. 404, 409 `resumes-before-start`."""
    command = AnnounceResumption(suspension_id, body.resumes_on)
    return SuspensionOut.of(await run(announce_resumption, command))


@router.get("/fine-suspensions")
async def get_suspensions(_caller: StaffOrService, db: Db) -> SuspensionList:
    """Every fine suspension, in the order of recording."""
    found = await queries.suspensions(db)
    return SuspensionList(items=[SuspensionOut.of(suspension) for suspension in found])


@router.get("/fine-suspensions/{suspension_id}/patrons")
async def get_concerned_patrons(
    suspension_id: Id, _caller: StaffOrService, db: Db, page: PageQuery
) -> PatronPage:
    """The patrons with an open loan of a branch in the suspension's scope, each once."""
    found = await queries.borrowing_patrons(db, suspension_id, page.limit, page.after)
    if found is None:
        raise NoSuchSuspension
    items = [PatronId(patron_id=patron_id) for patron_id in found]
    return PatronPage(**page_of(items, page, lambda item: str(item.patron_id)))


@router.get("/policies")
async def get_policies(_caller: Staff, db: Db) -> PolicyList:
    """The policy rows in force."""
    return PolicyList(items=await queries.policies(db))
