"""Route of a patron who borrows a copy with their own phone."""

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field, StringConstraints

from services.circulation import refusals
from services.circulation.borrowers.commands import ask_for_patron, with_newest_state
from services.circulation.catalogue import store as catalogue_store
from services.circulation.fields import Barcode, BranchCode, day_of, time_of
from services.circulation.loans.commands.borrow import borrow
from services.circulation.loans.commands.check_out import CheckOut, Lent
from services.circulation.loans.refusals import NoSuchCard
from services.circulation.loans.routes.loans import ItemRefusalOut, LoanOut
from services.circulation.rules.self_checkout import DIGITS
from shared.auth import Patron
from shared.http.bodies import Body
from shared.http.dependencies import Run
from shared.refusals import refuses, refuses_items

router = APIRouter(prefix="/v1")


class BorrowIn(Body):
    """A copy that a patron scanned in a library."""

    branch: BranchCode
    day_code: Annotated[str, StringConstraints(pattern=rf"^[0-9]{{{DIGITS}}}$")] = Field(
        description="The code of the day at the library's door.", repr=False
    )
    barcode: Barcode


class BorrowedOut(BaseModel):
    """The result for the copy: a loan, or the reason why there is none."""

    barcode: str
    ok: bool
    title: str | None = Field(description="Title of the copy; null: the library has none such.")
    loan: LoanOut | None = None
    problem: ItemRefusalOut | None = None

    @classmethod
    def of(cls, lent: Lent, title: str | None) -> "BorrowedOut":
        """Build the response from the outcome."""
        loan = lent.loan
        return cls(
            barcode=lent.barcode,
            ok=loan is not None,
            title=title,
            loan=LoanOut.of(loan, {loan.id: lent.renewals_left}) if loan else None,
            problem=ItemRefusalOut.of(lent.refused),
        )


@router.post("/me/self-checkouts")
@refuses(
    refusals.SelfCheckoutOff,
    refusals.WrongDayCode,
    refusals.TooManyDayCodes,
    refusals.NoSuchBranch,
    NoSuchCard,
)
@refuses_items(
    refusals.NoSuchCopy,
    refusals.CopyElsewhere,
    refusals.CopyOnLoan,
    refusals.CopyKept,
    refusals.CopyLost,
    refusals.CopyDamaged,
    refusals.CopyNotReady,
    refusals.CopyWithdrawn,
    refusals.LoanLimit,
    refusals.OnSiteOnly,
    refusals.PatronBlocked,
    refusals.CardExpired,
)
async def post_self_checkout(body: BorrowIn, caller: Patron, run: Run) -> BorrowedOut:
    """Borrow a copy for oneself in a library that allows it, with its code of the day.

    The copy has to stand in this library, by what the library knows of it. A wrong code counts.
    """
    command = CheckOut(
        card_digests=(),
        patron_id=caller.id,
        barcodes=(body.barcode,),
        branch=body.branch,
        on=day_of(None, run),
        today=day_of(None, run),
        time=time_of(None, run),
    )

    async def act(may_be_behind: bool) -> Lent | None:
        return await run(borrow, replace(command, may_be_behind=may_be_behind), body.day_code)

    try:
        lent = await with_newest_state(run, act)
    except NoSuchCard:
        # A patron registered a moment ago may be known to accounts before the event arrives here.
        patron = await ask_for_patron(run.owners, caller.id, run.now)
        if patron is None:
            raise
        lent = await run(borrow, replace(command, patron=patron), body.day_code)
    if lent is None:
        raise refusals.WrongDayCode
    title_ids = {lent.copy.title_id} if lent.copy else set()
    names = await catalogue_store.find_names(run.database, title_ids)
    return BorrowedOut.of(lent, next(iter(names.values()), None))
