"""Declare a loan lost: assess its fine so far, and charge for its copy."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

import structlog

from services.circulation import store
from services.circulation.domain import copy as copies
from services.circulation.domain import loan as rules
from services.circulation.domain.charge import Charge, ChargeKind, assess, loss_charges
from services.circulation.domain.due_date import CurrentLoan
from services.circulation.domain.fines import Statement
from services.circulation.domain.ledger import assessed
from services.circulation.domain.loan import Loan
from services.circulation.domain.overdue import fine, is_long_overdue
from services.circulation.domain.refusals.loans import NoSuchLoan, PriceUnknown
from services.circulation.usecases.events import loan_events
from services.circulation.usecases.steps.current_loan import current_loan, save_change
from services.circulation.usecases.steps.post_to_ledger import post
from shared.ids import new_id
from shared.unit_of_work import Work

log = structlog.get_logger()


@dataclass(frozen=True)
class DeclareLost:
    """Command to declare a loan lost.

    `patron_id` is the patron who declares their own loan lost; None: staff, or the rule.
    `price_cents` replaces the recorded price of the copy, or stands in if there is none.
    """

    loan_id: str
    on: date
    declared_by: Literal["patron", "staff", "rule"]
    patron_id: str | None = None
    price_cents: int | None = None


@dataclass(frozen=True)
class Loss:
    """A lost loan and its charges: the fine, if any, the price and the processing."""

    loan: Loan
    charges: tuple[Charge, ...]
    statement: Statement


def declare_lost(work: Work, command: DeclareLost) -> Loss:
    """Declare the loan lost.

    Raises NoSuchLoan (also for another patron's loan), LoanNotOpen, LoanLost or PriceUnknown.
    """
    loan = store.loans.get(work, command.loan_id)
    if loan is None or command.patron_id not in (None, loan.patron_id):
        raise NoSuchLoan
    known = current_loan(work, loan)
    return _lose(work, known, _fine(work, known, command.on), command)


def declare_long_overdue(work: Work, command: DeclareLost) -> bool:
    """Declare the loan lost if the rule says so on that day; return whether it did.

    A loan whose copy has no known price is left for the staff to declare lost.
    """
    loan = store.loans.get(work, command.loan_id)
    if loan is None:
        return False
    known = current_loan(work, loan)
    overdue = _fine(work, known, command.on)
    if not is_long_overdue(known.loan, overdue):
        return False
    try:
        _lose(work, known, overdue, command)
    except PriceUnknown:
        log.warning("loss needs a price", loan_id=loan.id)
        return False
    return True


def _fine(work: Work, known: CurrentLoan, on: date) -> Statement:
    """Return the fine so far of a current loan, as if no claim had been made that it is back."""
    unclaimed = replace(known.loan, claimed_returned_on=None)
    return fine(unclaimed, known.calendar, store.suspensions.every(work), on)


def _lose(work: Work, known: CurrentLoan, overdue: Statement, command: DeclareLost) -> Loss:
    loan = known.loan
    lost = rules.lose(loan, command.on, overdue)
    copy = (store.titles.copies_with(work, [loan.barcode]))[loan.barcode]
    price = copy.price_cents if command.price_cents is None else command.price_cents
    if price is None:
        raise PriceUnknown
    late = assess(new_id(), loan, overdue, command.on)
    charges = (
        *((late,) if late else ()),
        *loss_charges(new_id(), new_id(), loan, price, command.on),
    )
    borrower = store.patrons.borrower(work, loan.patron_id)
    post(work, borrower, [assessed(charge, work.now) for charge in charges], loans=-1)
    store.titles.save_copies(work, [copies.lose(copy)])
    save_change(work, known, lost)
    charged = any(charge.kind is ChargeKind.LOST for charge in charges)
    work.record(
        loan_events.lost(lost, on=command.on, declared_by=command.declared_by, charged=charged)
    )
    return Loss(lost, charges, overdue)
