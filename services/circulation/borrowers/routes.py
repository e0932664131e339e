"""Routes of a patron's reading history."""

from datetime import date

from fastapi import APIRouter
from pydantic import BaseModel

from services.circulation.borrowers import queries
from shared.auth import Patron
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
    def of(cls, read: queries.Read) -> "PastLoanOut":
        """Build the response from a past loan and the name of its title."""
        return cls(
            id=read.loan.id,
            title_id=read.loan.title_id,
            title=read.title,
            branch=read.loan.branch_code,
            borrowed_on=read.loan.borrowed_on,
            returned_on=read.loan.returned_on,
        )


class PastLoanPage(BaseModel):
    """A page of past loans; send `next` as `after` for the next page."""

    items: list[PastLoanOut]
    next: str | None


@router.get("/me/history")
async def get_my_history(caller: Patron, db: Db, page: PageQuery) -> PastLoanPage:
    """List the patron's past loans since they turned on `keep_history` in My Setting."""
    found = await queries.history_of(db, caller.id, page.limit, page.after)
    items = [PastLoanOut.of(read) for read in found]
    return PastLoanPage(**page_of(items, page, lambda item: str(item.id)))
