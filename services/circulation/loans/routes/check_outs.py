"""Routes that lend copies and take them back."""

from dataclasses import replace

from fastapi import APIRouter
from pydantic import BaseModel, Field, model_validator

from services.circulation.borrowers.commands import ask_for_card
from services.circulation.catalogue.routes.copies import CopyDetail
from services.circulation.charges.routes.charges import ChargeOut, StatementOut
from services.circulation.fields import Barcodes, BranchCode, When, day_of
from services.circulation.holds.routes import HoldOut
from services.circulation.loans.commands.check_out import (
    CheckOut,
    Lent,
    check_out,
    record_offline_check_outs,
)
from services.circulation.loans.commands.return_copies import ReturnCopies, Returned, return_copies
from services.circulation.loans.routes.loans import ItemRefusalOut, LoanOut
from services.circulation.refusals import (
    CardExpired,
    CopyDamaged,
    CopyKept,
    CopyLost,
    CopyNotOnLoan,
    CopyNotReady,
    CopyOnLoan,
    CopyWithdrawn,
    InTheFuture,
    LentBeforeReturn,
    LoanLimit,
    NoSuchBranch,
    NoSuchCard,
    NoSuchCopy,
    PatronBlocked,
    ReturnedBeforeBorrowed,
    TooLongAgo,
)
from services.circulation.rules.loan import Channel
from services.circulation.settings import settings_of
from shared.auth import Desk
from shared.http.bodies import Body
from shared.http.dependencies import Run
from shared.ids import card_digests
from shared.refusals import refuses, refuses_items

router = APIRouter(prefix="/v1")


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
            raise ValueError("an offline check-out needs its time (`at`)")
        return self


class ReturnIn(Body):
    """Copies to take back."""

    barcodes: Barcodes
    branch: BranchCode
    channel: Channel
    at: When | None = None


class LentOut(BaseModel):
    """The result of lending one copy."""

    barcode: str
    ok: bool
    loan: LoanOut | None = None
    copy_: CopyDetail | None = Field(
        default=None,
        serialization_alias="copy",
        description="The copy; null: the library has none with this barcode, or its loan was known "
        "before.",
    )
    problem: ItemRefusalOut | None = None

    @classmethod
    def of(cls, lent: Lent) -> "LentOut":
        """Build the response from the outcome."""
        loan = lent.loan
        return cls(
            barcode=lent.barcode,
            ok=loan is not None,
            loan=LoanOut.of(loan, {loan.id: lent.renewals_left}) if loan else None,
            copy_=CopyDetail.of(lent.copy) if lent.copy else None,
            problem=ItemRefusalOut.of(lent.refused),
        )


class CheckOutOut(BaseModel):
    """The result for each copy, in the order of the request."""

    results: list[LentOut]


class ReturnedOut(BaseModel):
    """The result of taking back one copy; it has a charge only if something is owed.

    A copy that was not on loan is shown where it is, such as on the hold shelf.

    A copy that was in transit, to be fetched or missing is received; the result then has no loan.
    """

    barcode: str
    ok: bool
    loan: LoanOut | None = None
    charge: ChargeOut | None = None
    statement: StatementOut | None = None
    hold: HoldOut | None = Field(
        default=None,
        description="The hold that the copy is kept or sent for, also if it was refused; null: no "
        "hold.",
    )
    copy_: CopyDetail | None = Field(default=None, serialization_alias="copy")
    problem: ItemRefusalOut | None = None

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
            problem=ItemRefusalOut.of(returned.refused),
        )


class ReturnOut(BaseModel):
    """The result for each copy, in the order of the request."""

    results: list[ReturnedOut]


@router.post("/checkouts")
@refuses(NoSuchCard, NoSuchBranch, InTheFuture, TooLongAgo)
@refuses_items(
    NoSuchCopy,
    CopyOnLoan,
    CopyKept,
    CopyLost,
    CopyDamaged,
    CopyNotReady,
    CopyWithdrawn,
    LentBeforeReturn,
    LoanLimit,
    PatronBlocked,
    CardExpired,
)
async def post_checkout(body: CheckOutIn, _caller: Desk, run: Run) -> CheckOutOut:
    """Lend copies; each succeeds or fails on its own.

    With `offline`, a station reports check-outs that already happened. A free copy is then on loan
    from that time; if the rules forbid the check-out, the result has the `problem` beside the loan,
    and staff get a conflict to settle.
    """
    command = CheckOut(
        card_digests=card_digests(body.card_number, settings_of(run).card_key),
        barcodes=body.barcodes,
        branch=body.branch,
        on=day_of(body.at, run),
        today=day_of(None, run),
    )
    use_case = record_offline_check_outs if body.offline else check_out
    try:
        results = await run(use_case, command)
    except NoSuchCard:
        # A patron registered a moment ago may be known to accounts before the event arrives here.
        patron = await ask_for_card(run.owners, body.card_number, run.now)
        if patron is None:
            raise
        results = await run(use_case, replace(command, patron=patron))
    return CheckOutOut(results=[LentOut.of(lent) for lent in results])


@router.post("/returns")
@refuses(NoSuchBranch, InTheFuture)
@refuses_items(NoSuchCopy, CopyNotOnLoan, ReturnedBeforeBorrowed)
async def post_return(body: ReturnIn, _caller: Desk, run: Run) -> ReturnOut:
    """Take copies back at any branch; each succeeds or fails on its own.

    A copy that was in transit or to be fetched is received. At the pick-up branch its hold becomes
    `ready`; at any other branch the copy is sent on to the pick-up branch. A missing copy can be
    lent again.
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
