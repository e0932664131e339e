"""Charges: money a patron owes."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from services.circulation.domain.calendar import Calendar
from services.circulation.domain.fines import Statement, statement
from services.circulation.domain.loan import Loan
from services.circulation.domain.policy import Policy
from services.circulation.domain.suspension import FineSuspension, concerning


class ChargeKind(StrEnum):
    """What a charge is for."""

    FINE = "fine"
    LOST = "lost"
    HOLD_FEE = "hold-fee"


@dataclass(frozen=True, slots=True)
class Basis:
    """What a fine was worked out from, apart from the calendar and the suspensions of its day."""

    due_on: date
    """The loan's due date then; a renewal gives the loan another."""
    until: date
    """The day of return, renewal or loss."""
    branch_code: str
    """The lending branch."""
    branch_kind: str
    policy: Policy


@dataclass(frozen=True, slots=True)
class Charge:
    """Money owed: `outstanding_cents` of `amount_cents` are unpaid."""

    id: str
    patron_id: str
    loan_id: str | None
    kind: ChargeKind
    amount_cents: int
    outstanding_cents: int
    assessed_on: date
    statement: Statement | None = None
    """How a fine came about; None for other charges."""
    basis: Basis | None = None
    """So that a fine can be worked out again; None for other charges."""
    version: int = 1


def assess(charge_id: str, loan: Loan, fine: Statement, on: date) -> Charge | None:
    """The charge for a loan's fine, made at return, renewal or loss; None if nothing is owed."""
    if not fine.amount_cents:
        return None
    return Charge(
        id=charge_id,
        patron_id=loan.patron_id,
        loan_id=loan.id,
        kind=ChargeKind.FINE,
        amount_cents=fine.amount_cents,
        outstanding_cents=fine.amount_cents,
        assessed_on=on,
        statement=fine,
        basis=Basis(loan.due_on, on, loan.branch_code, loan.branch_kind, loan.policy),
    )


def worked_out_again(
    charge: Charge, calendar: Calendar, suspensions: Iterable[FineSuspension]
) -> Statement | None:
    """A fine's statement by what is known now, if less is owed by it; None otherwise.

    `calendar` is the lending branch's. What was charged is never raised: days that have become
    chargeable since stay as they were.
    """
    basis = charge.basis
    if basis is None or charge.statement is None:
        return None
    again = statement(
        due_on=basis.due_on,
        until=basis.until,
        policy=basis.policy,
        calendar=calendar,
        suspensions=concerning(suspensions, basis.branch_code, basis.branch_kind),
    )
    return again if again.amount_cents < charge.statement.amount_cents else None
