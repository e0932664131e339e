"""Routes of charges."""

from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from services.circulation.charges import queries, store
from services.circulation.charges.commands.ledger import close_borrower, waive_charge
from services.circulation.charges.refusals import NoSuchCharge, PaymentUnderWay
from services.circulation.fields import Id, Line, Today
from services.circulation.refusals import MoreThanOutstanding
from services.circulation.rules.charge import Charge
from services.circulation.rules.fines import Statement, as_document
from services.circulation.rules.ledger import Entry
from shared.audit_trail import shows_patrons
from shared.auth import OtherService, Patron, PatronOrStaff, PatronStaffOrService, Staff, may_see
from shared.contracts.statement import SpanOut
from shared.http.bodies import Body, from_attributes
from shared.http.dependencies import Db, Run
from shared.http.paging import Page, PageQuery, page_of
from shared.mongo import Database
from shared.refusals import refuses

router = APIRouter(prefix="/v1")

OpenOnly = Annotated[
    bool, Query(description="True: only charges with money to be paid or to be given back.")
]


class StatementOut(BaseModel):
    """A fine with a disposition for every overdue day. Amounts are in cents."""

    due_on: date | None = Field(
        description="Day after which days are overdue; null: the branch is closed with no end "
        "announced."
    )
    charged_days: int
    amount_cents: int
    currency: str = "HKD"
    spans: list[SpanOut]

    @classmethod
    def of(cls, fine: Statement) -> "StatementOut":
        """Build the response from a statement."""
        return cls.model_validate(as_document(fine))


class ChargeOut(BaseModel):
    """An amount that a patron owes or owed."""

    id: str
    patron_id: str
    loan_id: str | None
    kind: str
    hold_id: str | None
    amount_cents: int = Field(description="Amount charged, after credits.")
    outstanding_cents: int
    paid_cents: int
    waived_cents: int
    refund_due_cents: int = Field(
        description="Part of the payments that the library owes back to the patron."
    )
    currency: str = "HKD"
    assessed_on: date
    statement: StatementOut | None
    version: int

    @classmethod
    def of(cls, charge: Charge) -> "ChargeOut":
        """Build the response from a charge."""
        statement = StatementOut.of(charge.statement) if charge.statement else None
        return from_attributes(cls, charge, kind=charge.kind.value, statement=statement)


class EntryOut(BaseModel):
    """An entry of a charge's ledger; a negative amount lowers what the patron owes."""

    id: str
    kind: str
    amount_cents: int
    on: date
    at: datetime
    reason: str
    reference: str
    by: str

    @classmethod
    def of(cls, entry: Entry) -> "EntryOut":
        """Build the response from an entry."""
        return from_attributes(cls, entry, kind=entry.kind.value)


class ListedCharge(ChargeOut):
    """A charge with the title that it is about."""

    title: str | None = Field(description="Null once the loan or the hold has been deleted.")


class ChargeInFull(ListedCharge):
    """A charge with its ledger, oldest entry first."""

    next_refund_cents: int = Field(
        description="Part of the refund due that the next refund gives back. It is less than all "
        "of it if a part was paid in cash and the rest through the provider."
    )
    next_refund_in_cash: bool = Field(description="True if that part was paid in cash.")
    entries: list[EntryOut]


class WaiverIn(Body):
    """The amount to waive, in cents, and the reason."""

    amount_cents: int = Field(ge=1, le=10_000_000)
    reason: Line


class ChargePage(BaseModel):
    """A page of charges; send `next` as `after` for the next page."""

    items: list[ListedCharge]
    next: str | None


class ChargesOfPatron(ChargePage):
    """A page of a patron's charges, and whether they may borrow."""

    blocked: bool = Field(description="True if the patron owes too much to borrow.")


@router.post("/charges/{charge_id}/waiver")
@refuses(NoSuchCharge, MoreThanOutstanding, PaymentUnderWay)
async def post_waiver(
    charge_id: Id, body: WaiverIn, caller: Staff, run: Run, today: Today
) -> ChargeOut:
    """Waive a charge or a part of it."""
    waived = await run(
        waive_charge,
        charge_id=charge_id,
        cents=body.amount_cents,
        reason=body.reason,
        by=caller.id,
        on=today,
    )
    return ChargeOut.of(waived)


@router.get("/charges/{charge_id}")
@refuses(NoSuchCharge)
@shows_patrons
async def get_charge(charge_id: Id, caller: PatronStaffOrService, db: Db) -> ChargeInFull:
    """Get a charge with its statement and its ledger."""
    charge = await store.find(db, charge_id)
    if charge is None or not may_see(caller, charge.patron_id):
        raise NoSuchCharge
    return await _in_full(db, charge)


@router.get("/charges/{charge_id}/statement")
@refuses(NoSuchCharge)
@shows_patrons
async def get_charge_statement(charge_id: Id, caller: PatronOrStaff, db: Db) -> StatementOut:
    """Get a fine's statement as it was assessed or last recalculated.

    A charge that is no fine has no statement and is not found.
    """
    charge = await store.find(db, charge_id)
    if charge is None or charge.statement is None or not may_see(caller, charge.patron_id):
        raise NoSuchCharge
    return StatementOut.of(charge.statement)


@router.get("/me/charges")
async def get_my_charges(
    caller: Patron, db: Db, page: PageQuery, *, open_only: OpenOnly = False
) -> ChargePage:
    """List the patron's charges."""
    return await _charges_of(db, caller.id, page, only_open=open_only)


@router.get("/patrons/{patron_id}/charges")
@shows_patrons
async def get_charges(
    patron_id: Id,
    _caller: Staff,
    db: Db,
    page: PageQuery,
    *,
    open_only: OpenOnly = False,
) -> ChargesOfPatron:
    """List a patron's charges, for staff, and say whether they block the patron now."""
    listed = await _charges_of(db, patron_id, page, only_open=open_only)
    return ChargesOfPatron(**dict(listed), blocked=await queries.owes_too_much(db, patron_id))


async def _in_full(db: Database, charge: Charge) -> ChargeInFull:
    entries = [EntryOut.of(entry) for entry in await store.find_entries(db, charge.id)]
    items = await queries.items_of_charges(db, [charge])
    refund = await queries.next_refund(db, charge)
    return ChargeInFull(
        **dict(ChargeOut.of(charge)),
        title=items.get(charge.id),
        next_refund_cents=refund.cents,
        next_refund_in_cash=refund.in_cash,
        entries=entries,
    )


async def _charges_of(db: Database, patron_id: str, page: Page, *, only_open: bool) -> ChargePage:
    found = await store.find_of(
        db, patron_id, only_open=only_open, limit=page.limit, after=page.after
    )
    about = await queries.items_of_charges(db, found)
    items = [ListedCharge(**dict(ChargeOut.of(each)), title=about.get(each.id)) for each in found]
    return ChargePage(**page_of(items, page, lambda item: str(item.id)))


class ClosingOut(BaseModel):
    """The result of closing a patron's borrowing."""

    closed: bool = Field(description="False: something is still open, and nothing has changed.")
    open_loans: int
    outstanding_cents: int
    refund_due_cents: int = Field(description="Cents that the library owes the patron.")
    currency: str = "HKD"


@router.post("/borrowers/{patron_id}/closing")
async def post_closing(patron_id: Id, _caller: OtherService, run: Run) -> ClosingOut:
    """Close a patron's borrowing for good, unless loans, charges or refunds are open.

    For accounts, which then erases the patron. Open holds do not count: the erasure cancels them.
    """
    still_open = await run(close_borrower, patron_id)
    return ClosingOut(
        closed=not still_open,
        open_loans=still_open.loans,
        outstanding_cents=still_open.outstanding_cents,
        refund_due_cents=still_open.refund_due_cents,
    )
