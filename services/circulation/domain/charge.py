"""Charges: money a patron owes."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from services.circulation.domain.fines import Statement
from services.circulation.domain.loan import Loan


class ChargeKind(StrEnum):
    """What a charge is for."""

    FINE = "fine"
    LOST = "lost"
    HOLD_FEE = "hold-fee"


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
    )
