"""Charges: money a patron owes."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from services.circulation.rules.calendar import Calendar
from services.circulation.rules.fines import Late, Statement, statement
from services.circulation.rules.loan import Loan
from services.circulation.rules.policy import Policy
from services.circulation.rules.suspension import FineSuspension, concerning


class ChargeKind(StrEnum):
    """Kind of a charge."""

    FINE = "fine"
    LOST = "lost"
    """The price of a copy that does not come back."""
    LOST_PROCESSING = "lost-processing"
    """Processing: the work of replacing such a copy."""
    HOLD_FEE = "hold-fee"


@dataclass(frozen=True, slots=True)
class Basis:
    """Inputs of a fine, apart from the calendar and the suspensions of its day."""

    due_on: date
    """The loan's due date at assessment; a renewal gives the loan another."""
    until: date
    """The day of return, renewal or loss."""
    branch_code: str
    """The lending branch."""
    branch_kind: str
    policy: Policy
    late: Late | None = None
    """Times of a loan by hours; None: a loan by days."""


@dataclass(frozen=True, slots=True)
class Charge:
    """Money owed. `amount_cents` is always the sum of the outstanding, paid and waived cents.

    Only the functions of `ledger` change it; they also give the entries that record the change.
    """

    id: str
    patron_id: str
    loan_id: str | None
    kind: ChargeKind
    amount_cents: int
    """Cents charged, without those credited since."""
    outstanding_cents: int
    assessed_on: date
    statement: Statement | None = None
    """Explanation of a fine; None for other charges."""
    basis: Basis | None = None
    """Inputs for working a fine out again; None for other charges."""
    hold_id: str | None = None
    """Id of the hold, for a hold fee."""
    paid_cents: int = 0
    """Cents paid, without those given back or due back."""
    waived_cents: int = 0
    refund_due_cents: int = 0
    """Cents that the patron paid and the library owes back to them."""
    version: int = 1

    @property
    def is_open(self) -> bool:
        """True while money of it is to be paid or to be given back."""
        return bool(self.outstanding_cents or self.refund_due_cents)


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
    """Return a charge of which nothing is paid yet."""
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


def to_bill(loan: Loan, unpaid_cents: int) -> Loan:
    """Return the loan as its fine is counted for a patron who owes this much in other fines.

    It is not to be saved: its row keeps its own cap for later due dates.
    """
    policy = loan.policy.with_unpaid(unpaid_cents)
    return loan if policy is loan.policy else replace(loan, policy=policy)


def assess(
    charge_id: str, loan: Loan, fine: Statement, on: date, late: Late | None = None
) -> Charge | None:
    """Return the charge for a loan's fine at return, renewal or loss; None if nothing is owed.

    `late` has the times by which the fine of a loan by hours was counted.
    """
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
        basis=Basis(loan.due_on, on, loan.branch_code, loan.branch_kind, loan.policy, late),
    )


def ends(charge: Charge, loan: Loan) -> bool:
    """Return whether the charge is the fine for the loan's last due date.

    Each renewal sets a later due date, so a fine assessed at a renewal is for an earlier one.
    """
    return charge.basis is not None and charge.basis.due_on == loan.due_on


def counted_until(charge: Charge, day: date) -> Charge:
    """Return a fine whose days count until `day` if that is earlier than before.

    Other charges stay the same.
    """
    basis = charge.basis
    if basis is None or basis.until <= day:
        return charge
    late = basis.late and replace(basis.late, until=0)
    return replace(charge, basis=replace(basis, until=day, late=late))


def loss_charges(
    price_id: str, processing_id: str, loan: Loan, price_cents: int, on: date
) -> tuple[Charge, ...]:
    """Return the charges for a lost copy: its price, and the processing of its replacement.

    Processing costs a part of the price: `lost_processing_percent` of the loan's policy row,
    rounded half up. Charges of 0 cents are left out.
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
    """Work a fine out again; return its new statement if less is owed, else None.

    `calendar` is the lending branch's. A fine is never raised after the fact, so a statement that
    would charge more is dropped.
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
        late=basis.late,
    )
    return again if again.amount_cents < charge.statement.amount_cents else None
