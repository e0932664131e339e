"""Routes of a patron's reading history."""

from datetime import date, datetime

from fastapi import APIRouter
from pydantic import BaseModel, Field

from services.circulation.borrowers import store
from services.circulation.catalogue import store as catalogue_store
from services.circulation.fields import Id
from services.circulation.policies import store as policies_store
from services.circulation.rules.history import PastLoan
from services.circulation.rules.patron import limits_of
from services.circulation.rules.policy import PolicyMatrix
from shared.audit_trail import shows_patrons
from shared.auth import Patron, Staff
from shared.http.bodies import from_attributes
from shared.http.dependencies import Db
from shared.http.paging import PageQuery, page_of

router = APIRouter(prefix="/v1")

MOST_YEARS = 20


class PastLoanOut(BaseModel):
    """A past loan."""

    id: str
    title_id: str
    title: str
    branch: str
    borrowed_on: date
    returned_on: date

    @classmethod
    def of(cls, loan: PastLoan, title: str) -> "PastLoanOut":
        """Build the response from a past loan and the name of its title, if it is still known."""
        return from_attributes(cls, loan, title=title, branch=loan.branch_code)


class PastLoanPage(BaseModel):
    """A page of past loans; send `next` as `after` for the next page."""

    items: list[PastLoanOut]
    next: str | None


class YearOut(BaseModel):
    """A year of a patron's reading history, by the days of return."""

    year: int
    loans: int
    titles: int


class YearList(BaseModel):
    """The years of a patron's reading history, the newest first."""

    items: list[YearOut]


class OverrideOut(BaseModel):
    """A loan, renewal or hold that staff made despite a refusal."""

    id: str
    made_id: str = Field(description="Id of the loan or hold.")
    code: str = Field(description="Code of the refusal.")
    reason: str
    by: str
    at: datetime


class OverridePage(BaseModel):
    """A page of overrides; send `next` as `after` for the next page."""

    items: list[OverrideOut]
    next: str | None


class LimitsOut(BaseModel):
    """The most that a patron may have; rows for kinds of copies or libraries may differ."""

    most_loans: int
    most_holds: int
    most_owed_cents: int = Field(description="Most that the patron may owe and still borrow.")
    at_loan_limit: bool


@router.get("/me/limits")
async def get_my_limits(caller: Patron, db: Db) -> LimitsOut:
    """Get the limits that the policies set for the patron in general."""
    patron, borrower = await store.find_patron(db, caller.id)
    policies = PolicyMatrix(await policies_store.find(db))
    return from_attributes(LimitsOut, limits_of(patron, borrower, policies))


@router.get("/loans/overrides/{patron_id}")
@shows_patrons
async def get_overrides(patron_id: Id, _caller: Staff, db: Db, page: PageQuery) -> OverridePage:
    """List the refusals that staff overrode for a patron in the last year, oldest first."""
    found = await store.find_overrides(db, patron_id, page.limit, page.after)
    items = [from_attributes(OverrideOut, override) for override in found]
    return OverridePage(**page_of(items, page, lambda item: str(item.id)))


@router.get("/me/history")
async def get_my_history(caller: Patron, db: Db, page: PageQuery) -> PastLoanPage:
    """List the patron's past loans since they turned on `keep_history` in My Setting."""
    found = await store.find_history(db, caller.id, page.limit, page.after)
    names = await catalogue_store.find_names(db, {loan.title_id for loan in found})
    items = [PastLoanOut.of(loan, names.get(loan.title_id, "")) for loan in found]
    return PastLoanPage(**page_of(items, page, lambda item: str(item.id)))


@router.get("/me/history/years")
async def get_my_years(caller: Patron, db: Db) -> YearList:
    """Count the patron's past loans and their titles in each of the last 20 years with any."""
    found = await store.find_years(db, caller.id, MOST_YEARS)
    return YearList(
        items=[YearOut(year=year, loans=loans, titles=titles) for year, loans, titles in found]
    )
