"""Routes of a patron's reading history."""

from datetime import date, datetime

from fastapi import APIRouter
from pydantic import BaseModel, Field

from services.circulation.borrowers import store
from services.circulation.catalogue import store as catalogue_store
from services.circulation.fields import Id
from services.circulation.rules.history import PastLoan
from services.circulation.rules.override import Override
from shared.audit_trail import shows_patrons
from shared.auth import Patron, Staff
from shared.http.dependencies import Db
from shared.http.paging import PageQuery, page_of

router = APIRouter(prefix="/v1")


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
        return cls(
            id=loan.id,
            title_id=loan.title_id,
            title=title,
            branch=loan.branch_code,
            borrowed_on=loan.borrowed_on,
            returned_on=loan.returned_on,
        )


class PastLoanPage(BaseModel):
    """A page of past loans; send `next` as `after` for the next page."""

    items: list[PastLoanOut]
    next: str | None


class OverrideOut(BaseModel):
    """A loan, renewal or hold that staff made despite a refusal."""

    id: str
    made_id: str = Field(description="Id of the loan or hold.")
    code: str = Field(description="Code of the refusal.")
    reason: str
    by: str
    at: datetime

    @classmethod
    def of(cls, override: Override) -> "OverrideOut":
        """Build the response from an override."""
        return cls(
            id=override.id,
            made_id=override.made_id,
            code=override.code,
            reason=override.reason,
            by=override.by,
            at=override.at,
        )


class OverridePage(BaseModel):
    """A page of overrides; send `next` as `after` for the next page."""

    items: list[OverrideOut]
    next: str | None


@router.get("/loans/overrides/{patron_id}")
@shows_patrons
async def get_overrides(patron_id: Id, _caller: Staff, db: Db, page: PageQuery) -> OverridePage:
    """List the refusals that staff overrode for a patron in the last year, oldest first."""
    found = await store.find_overrides(db, patron_id, page.limit, page.after)
    items = [OverrideOut.of(override) for override in found]
    return OverridePage(**page_of(items, page, lambda item: str(item.id)))


@router.get("/me/history")
async def get_my_history(caller: Patron, db: Db, page: PageQuery) -> PastLoanPage:
    """List the patron's past loans since they turned on `keep_history` in My Setting."""
    found = await store.find_history(db, caller.id, page.limit, page.after)
    names = await catalogue_store.find_names(db, {loan.title_id for loan in found})
    items = [PastLoanOut.of(loan, names.get(loan.title_id, "")) for loan in found]
    return PastLoanPage(**page_of(items, page, lambda item: str(item.id)))
