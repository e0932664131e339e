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
    """The price of a copy that does not come back."""
    LOST_PROCESSING = "lost-processing"
    """The work of replacing it."""
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
    """Money owed. Always `amount_cents` is the sum of what is outstanding, paid and waived.

    It changes through `ledger` only, which gives the entries that record the change.
    """

    id: str
    patron_id: str
    loan_id: str | None
    kind: ChargeKind
    amount_cents: int
    """What is charged: less than at first, once a part was credited."""
    outstanding_cents: int
    assessed_on: date
    statement: Statement | None = None
    """How a fine came about; None for other charges."""
    basis: Basis | None = None
    """So that a fine can be worked out again; None for other charges."""
    hold_id: str | None = None
    """Of a hold fee."""
    paid_cents: int = 0
    """What was paid and not given back: what is due back is not in it."""
    waived_cents: int = 0
    refund_due_cents: int = 0
    """What the library owes the patron of what they paid."""
    version: int = 1


def new_charge(
    charge_id: str,
    patron_id: str,
    kind: ChargeKind,
    cents: int,
    on: date,
    *,
    loan_id: str | None = None,
    hold_id: str | None = None,
) -> Charge:
    """A charge of which nothing is paid yet."""
    return Charge(
        id=charge_id,
        patron_id=patron_id,
        loan_id=loan_id,
        kind=kind,
        amount_cents=cents,
        outstanding_cents=cents,
        assessed_on=on,
        hold_id=hold_id,
    )


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


def loss_charges(
    price_id: str, processing_id: str, loan: Loan, price_cents: int, on: date
) -> tuple[Charge, ...]:
    """What a lost copy costs: its price, and for the work of replacing it a part of the price.

    The part is `lost_processing_percent` of the loan's policy row, rounded half up.
    """
    work_cents = (price_cents * loan.policy.lost_processing_percent + 50) // 100
    charges = (
        new_charge(price_id, loan.patron_id, ChargeKind.LOST, price_cents, on, loan_id=loan.id),
        new_charge(
            processing_id,
            loan.patron_id,
            ChargeKind.LOST_PROCESSING,
            work_cents,
            on,
            loan_id=loan.id,
        ),
    )
    return tuple(charge for charge in charges if charge.amount_cents)


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
