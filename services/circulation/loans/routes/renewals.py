"""Routes that renew loans or preview a renewal."""

from collections.abc import Mapping
from datetime import date

from fastapi import APIRouter
from pydantic import BaseModel, Field

from services.circulation import refusals
from services.circulation.borrowers.commands import with_newest_state
from services.circulation.charges.routes.charges import ChargeOut, StatementOut
from services.circulation.fields import Id, Ids, OverrideIn, day_of, reason_of, time_of
from services.circulation.loans.commands.renew import Attempt, Renewal, renew_all_loans, renew_loan
from services.circulation.loans.refusals import NoSuchLoan
from services.circulation.loans.routes.loans import ItemRefusalOut, LoanOut, renewals_left
from shared.auth import Patron, PatronOrStaff, Staff
from shared.http.bodies import Body
from shared.http.dependencies import Preview, Run
from shared.refusals import refuses, refuses_items

router = APIRouter(prefix="/v1")

OPEN_LOAN_REFUSALS = (
    NoSuchLoan,
    refusals.HoldWaiting,
    refusals.RenewalLimit,
    refusals.NothingToGain,
    refusals.PatronBlocked,
    refusals.CardExpired,
    refusals.LoanClaimed,
)
"""Refusals to renew one of a patron's open loans; any other loan is none of them."""


class RenewalsIn(Body):
    """The loans to renew; without it, all open loans."""

    loan_ids: Ids


class RenewalIn(Body):
    """An override of a refusal; staff only."""

    override: OverrideIn | None = None


class RenewalOut(BaseModel):
    """A renewed loan, a reference to quote, and the fine so far if it was overdue."""

    loan: LoanOut
    reference: str
    charge: ChargeOut | None
    statement: StatementOut

    @classmethod
    def of(cls, renewal: Renewal, left: Mapping[str, int]) -> "RenewalOut":
        """Build the response from a renewal."""
        return cls(
            loan=LoanOut.of(renewal.loan, left),
            reference=renewal.reference,
            charge=ChargeOut.of(renewal.charge) if renewal.charge else None,
            statement=StatementOut.of(renewal.statement),
        )


class AttemptOut(BaseModel):
    """The result of renewing one loan."""

    loan_id: str
    ok: bool
    loan: LoanOut | None = None
    reference: str | None = None
    charge: ChargeOut | None = None
    problem: ItemRefusalOut | None = None

    @classmethod
    def of(cls, attempt: Attempt, left: Mapping[str, int]) -> "AttemptOut":
        """Build the response from an attempt."""
        renewal = RenewalOut.of(attempt.renewal, left) if attempt.renewal else None
        return cls(
            loan_id=attempt.loan_id,
            ok=renewal is not None,
            loan=renewal.loan if renewal else None,
            reference=renewal.reference if renewal else None,
            charge=renewal.charge if renewal else None,
            problem=ItemRefusalOut.of(attempt.refused),
        )


class RenewAllOut(BaseModel):
    """The result for each open loan, in the order of borrowing, then for ids of no open loan."""

    results: list[AttemptOut]


class RenewalEffectOut(BaseModel):
    """The effect of a renewal that was not carried out."""

    loan_id: str
    due_on: date = Field(description="The new due date.")
    renewals_left: int
    fine_cents: int = Field(
        description="Fine for the overdue days, charged on renewal, in cents; 0: no fine."
    )
    currency: str = "HKD"

    @classmethod
    def of(cls, renewal: Renewal, left: Mapping[str, int]) -> "RenewalEffectOut":
        """Build the response from a renewal that was tried out."""
        return cls(
            loan_id=renewal.loan.id,
            due_on=renewal.loan.due_on,
            renewals_left=left[renewal.loan.id],
            fine_cents=renewal.charge.amount_cents if renewal.charge else 0,
        )


class AttemptEffectOut(BaseModel):
    """The effect of renewing one loan, or why it would be refused. Nothing changes."""

    loan_id: str
    ok: bool
    effect: RenewalEffectOut | None = None
    problem: ItemRefusalOut | None = None

    @classmethod
    def of(cls, attempt: Attempt, left: Mapping[str, int]) -> "AttemptEffectOut":
        """Build the response from an attempt that was tried out."""
        effect = RenewalEffectOut.of(attempt.renewal, left) if attempt.renewal else None
        return cls(
            loan_id=attempt.loan_id,
            ok=effect is not None,
            effect=effect,
            problem=ItemRefusalOut.of(attempt.refused),
        )


class RenewAllEffectOut(BaseModel):
    """The effect of renewing each loan, and the total of the fines. Nothing changes."""

    results: list[AttemptEffectOut]
    fine_cents: int
    currency: str = "HKD"


@router.post("/loans/{loan_id}/renewals")
@refuses(*OPEN_LOAN_REFUSALS, refusals.LoanLost, refusals.LoanNotOpen)
async def post_renewal(
    loan_id: Id,
    caller: PatronOrStaff,
    run: Run,
    preview: Preview,
    body: RenewalIn | None = None,
) -> RenewalOut | RenewalEffectOut:
    """Renew a loan: patrons their own and those of linked patrons, staff any.

    With `preview=true`, returns the effect and changes nothing. Renewing an overdue loan charges
    its fine so far.
    """
    asking, today = None if "staff" in caller.roles else caller.id, day_of(None, run)
    reason = reason_of(body.override if body else None, caller)
    now = time_of(None, run)

    async def renew(may_be_behind: bool) -> Renewal:
        if preview:
            tried_out, _events = await run.try_out(
                renew_loan, loan_id, asking, today, reason, time=now, may_be_behind=may_be_behind
            )
            return tried_out
        return await run(
            renew_loan, loan_id, asking, today, reason, time=now, may_be_behind=may_be_behind
        )

    renewal = await with_newest_state(run, renew)
    if preview:
        return RenewalEffectOut.of(renewal, await renewals_left(run, renewal.loan))
    return RenewalOut.of(renewal, await renewals_left(run, renewal.loan))


@router.post("/me/renewals")
@refuses_items(*OPEN_LOAN_REFUSALS)
async def post_renewals(
    caller: Patron, run: Run, preview: Preview, body: RenewalsIn | None = None
) -> RenewAllOut | RenewAllEffectOut:
    """Renew all or some of the patron's loans; each succeeds or fails on its own.

    With `preview=true`, returns the effect and changes nothing.
    """
    return await _renew_all(caller.id, run, body, preview=preview)


@router.post("/patrons/{patron_id}/renewals")
@refuses_items(*OPEN_LOAN_REFUSALS)
async def post_renewals_of_patron(
    patron_id: Id, _caller: Staff, run: Run, preview: Preview, body: RenewalsIn | None = None
) -> RenewAllOut | RenewAllEffectOut:
    """Renew all or some of a patron's loans at the desk; each succeeds or fails on its own.

    With `preview=true`, returns the effect and changes nothing.
    """
    return await _renew_all(patron_id, run, body, preview=preview)


async def _renew_all(
    patron_id: str, run: Run, body: RenewalsIn | None, *, preview: bool
) -> RenewAllOut | RenewAllEffectOut:
    today, loan_ids = day_of(None, run), body.loan_ids if body else None
    now = time_of(None, run)

    async def renew(may_be_behind: bool) -> list[Attempt]:
        if preview:
            tried_out, _events = await run.try_out(
                renew_all_loans, patron_id, today, loan_ids, now, may_be_behind=may_be_behind
            )
            return tried_out
        return await run(
            renew_all_loans, patron_id, today, loan_ids, now, may_be_behind=may_be_behind
        )

    attempts = await with_newest_state(run, renew)
    left = await renewals_left(run, *(each.renewal.loan for each in attempts if each.renewal))
    if not preview:
        return RenewAllOut(results=[AttemptOut.of(attempt, left) for attempt in attempts])
    effects = [AttemptEffectOut.of(attempt, left) for attempt in attempts]
    fine_cents = sum(each.effect.fine_cents for each in effects if each.effect)
    return RenewAllEffectOut(results=effects, fine_cents=fine_cents)
