"""Routes that lend copies and take them back."""

from dataclasses import replace
from datetime import date, datetime

from fastapi import APIRouter
from pydantic import BaseModel, Field, model_validator

from services.circulation.borrowers.commands import ask_for_card, with_newest_state
from services.circulation.catalogue.routes.copies import CopyDetail
from services.circulation.charges.routes.charges import ChargeOut, StatementOut
from services.circulation.fields import (
    Barcodes,
    BranchCode,
    Id,
    OverrideIn,
    When,
    channel_of,
    day_of,
    reason_of,
    time_of,
)
from services.circulation.holds.routes.models import HoldOut
from services.circulation.loans import refusals
from services.circulation.loans.commands.check_out import CheckOut, Lent, check_out
from services.circulation.loans.commands.offline import record_offline_check_outs
from services.circulation.loans.commands.receipts import request_receipt
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
    LentBeforeReturn,
    LentThatDay,
    LoanLimit,
    NoSuchBranch,
    NoSuchCopy,
    OnSiteOnly,
    PatronBlocked,
    ReturnedBeforeBorrowed,
)
from services.circulation.rules.loan import Channel, Loan
from services.circulation.rules.loan_period import Due
from services.circulation.settings import settings_of
from shared.auth import Desk, Staff
from shared.http.bodies import Body
from shared.http.dependencies import Preview, Run
from shared.ids import card_digests
from shared.refusals import refuses, refuses_items

router = APIRouter(prefix="/v1")


class ReceiptIn(Body):
    """A receipt to send to a patron by e-mail, of what was lent at a branch today."""

    branch: BranchCode


class ReceiptOut(BaseModel):
    """A receipt that is to be sent."""

    loans: int = Field(description="Number of loans on it.")


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
    promised_due: When | None = Field(
        default=None, description="Due date that an offline station gave the patron."
    )
    override: OverrideIn | None = None

    @model_validator(mode="after")
    def _when_it_was(self) -> "CheckOutIn":
        if self.offline and self.at is None:
            raise ValueError("an offline check-out needs its time (`at`)")
        if self.promised_due and not self.offline:
            raise ValueError("only an offline check-out has a promised due date")
        return self


class ReturnIn(Body):
    """Copies to take back."""

    barcodes: Barcodes
    branch: BranchCode
    channel: Channel
    at: When | None = None
    offline: bool = Field(
        default=False,
        description="True: the copies already came back, at the time `at`, while the desk was "
        "offline.",
    )

    @model_validator(mode="after")
    def _when_it_was(self) -> "ReturnIn":
        if self.offline and not isinstance(self.at, datetime):
            raise ValueError("an offline return needs its time (`at`)")
        return self


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
    overridden: str | None = Field(
        default=None,
        description="Code of the refusal that staff overrode; null: there was none.",
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
            overridden=lent.overridden,
            problem=ItemRefusalOut.of(lent.refused),
        )


class CheckOutOut(BaseModel):
    """The result for each copy, in the order of the request."""

    results: list[LentOut]


class LendingEffectOut(BaseModel):
    """Terms of a loan that was not made."""

    due_on: date
    fine_per_day_cents: int | None = Field(
        description="Fine for each charged day, in cents; null: days do not all cost the same."
    )
    fine_cap_cents: int | None = Field(description="Highest fine, in cents; null: no limit.")
    fine_terms: str = Field(description="Rates and limits of the fine, for people.")
    currency: str = "HKD"
    renewals_left: int

    @classmethod
    def of(cls, loan: Loan, renewals_left: int) -> "LendingEffectOut":
        """Build the response from a loan that was tried out."""
        return cls(
            due_on=loan.due_on,
            fine_per_day_cents=loan.policy.flat_day_cents,
            fine_cap_cents=loan.policy.fine_cap_cents,
            fine_terms=loan.policy.cause.reason,
            renewals_left=renewals_left,
        )


class LentEffectOut(BaseModel):
    """The effect of lending one copy, or why it would be refused. Nothing changes."""

    barcode: str
    ok: bool
    effect: LendingEffectOut | None = None
    problem: ItemRefusalOut | None = None

    @classmethod
    def of(cls, lent: Lent) -> "LentEffectOut":
        """Build the response from an outcome that was tried out."""
        loan = lent.loan
        return cls(
            barcode=lent.barcode,
            ok=loan is not None,
            effect=LendingEffectOut.of(loan, lent.renewals_left) if loan else None,
            problem=ItemRefusalOut.of(lent.refused),
        )


class CheckOutEffectOut(BaseModel):
    """The effect for each copy, in the order of the request. Nothing changes."""

    results: list[LentEffectOut]


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
@refuses(refusals.NoSuchCard, NoSuchBranch, refusals.InTheFuture, refusals.TooLongAgo)
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
    OnSiteOnly,
    PatronBlocked,
    CardExpired,
)
async def post_checkout(
    body: CheckOutIn, caller: Desk, run: Run, preview: Preview
) -> CheckOutOut | CheckOutEffectOut:
    """Lend copies; each succeeds or fails on its own.

    With `preview=true`, returns the terms of each loan and changes nothing.

    With `offline`, a station reports check-outs that already happened. A free copy is then on loan
    from that time; if the rules forbid the check-out, the result has the `problem` beside the loan,
    and staff get a conflict to settle. The loan is due on the `promised_due` date if that is later
    than the computed one, by at most 31 days.
    """
    promised = body.promised_due
    command = CheckOut(
        card_digests=card_digests(body.card_number, settings_of(run).card_key),
        barcodes=body.barcodes,
        branch=body.branch,
        on=day_of(body.at, run),
        today=day_of(None, run),
        override=reason_of(body.override, caller),
        time=time_of(body.at, run),
        promised=Due(day_of(promised, run), time_of(promised, run)) if promised else None,
        channel=channel_of(caller),
    )
    use_case = record_offline_check_outs if body.offline else check_out

    async def act(command: CheckOut) -> CheckOutOut | CheckOutEffectOut:
        if preview:
            would, _events = await run.try_out(use_case, command)
            return CheckOutEffectOut(results=[LentEffectOut.of(lent) for lent in would])
        return CheckOutOut(results=[LentOut.of(lent) for lent in await run(use_case, command)])

    async def lend(may_be_behind: bool) -> CheckOutOut | CheckOutEffectOut:
        return await act(replace(command, may_be_behind=may_be_behind))

    try:
        return await with_newest_state(run, lend)
    except refusals.NoSuchCard:
        # A patron registered a moment ago may be known to accounts before the event arrives here.
        patron = await ask_for_card(run.owners, body.card_number, run.now)
        if patron is None:
            raise
        return await act(replace(command, patron=patron))


@router.post("/returns")
@refuses(NoSuchBranch, refusals.InTheFuture)
@refuses_items(NoSuchCopy, CopyNotOnLoan, ReturnedBeforeBorrowed, LentThatDay)
async def post_return(body: ReturnIn, _caller: Desk, run: Run) -> ReturnOut:
    """Take copies back at any branch; each succeeds or fails on its own.

    A copy that was in transit or to be fetched is received. At the pick-up branch its hold becomes
    `ready`; at any other branch the copy is sent on to the pick-up branch. A missing copy can be
    lent again.

    With `offline`, a desk reports returns that already happened. One that is followed by another
    loan of its day is refused.
    """
    command = ReturnCopies(
        barcodes=body.barcodes,
        branch=body.branch,
        channel=body.channel,
        on=day_of(body.at, run),
        today=day_of(None, run),
        time=time_of(body.at, run),
        reported=body.at if body.offline and isinstance(body.at, datetime) else None,
    )
    results = await run(return_copies, command)
    return ReturnOut(results=[ReturnedOut.of(returned) for returned in results])


@router.post("/loans/receipts/{patron_id}", status_code=202)
@refuses(refusals.NothingBorrowed)
async def post_receipt(patron_id: Id, body: ReceiptIn, _caller: Staff, run: Run) -> ReceiptOut:
    """Send a patron the receipt of what they borrowed at a branch today, if they have an e-mail."""
    return ReceiptOut(loans=await run(request_receipt, patron_id, body.branch, day_of(None, run)))
