"""Borrowers: what a patron still has to settle, asked by accounts before an erasure."""

from fastapi import APIRouter
from pydantic import BaseModel, Field

from services.circulation.routes.fields import Id
from services.circulation.usecases.commands.close_borrower import CloseBorrower, close_borrower
from shared.auth import OtherService
from shared.http.dependencies import Run

router = APIRouter(prefix="/v1")


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
    still_open = await run(close_borrower, CloseBorrower(patron_id))
    return ClosingOut(
        closed=not still_open,
        open_loans=still_open.loans,
        outstanding_cents=still_open.outstanding_cents,
        refund_due_cents=still_open.refund_due_cents,
    )
