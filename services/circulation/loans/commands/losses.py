"""Declare loans lost, and record claims that copies were returned."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

import structlog

from services.circulation.borrowers import store as borrowers_store
from services.circulation.calendars import store as calendars_store
from services.circulation.catalogue import store as catalogue_store
from services.circulation.charges.commands.ledger import post, to_bill
from services.circulation.loans import events
from services.circulation.loans.commands.current import current_loan, save_change
from services.circulation.loans.refusals import InTheFuture, NoSuchLoan, PriceUnknown
from services.circulation.loans.store import loans as store
from services.circulation.rules import copy as copy_rules
from services.circulation.rules import loan as loan_rules
from services.circulation.rules.charge import Charge, ChargeKind, assess, loss_charges
from services.circulation.rules.due_date import CurrentLoan, fine, is_long_overdue, late_times
from services.circulation.rules.fines import Statement
from services.circulation.rules.ledger import assessed
from services.circulation.rules.loan import Loan
from shared.ids import new_id
from shared.refusals import or_refuse
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
    loan = store.get(work, command.loan_id)
    if loan is None or command.patron_id not in (None, loan.patron_id):
        raise NoSuchLoan
    present = current_loan(work, loan)
    return _lose(work, present, _fine(work, present, command.on), command)


def declare_long_overdue(work: Work, command: DeclareLost) -> bool:
    """Declare the loan lost if the rule says so on that day; return whether it did.

    A loan whose copy has no recorded price is left for the staff to declare lost.
    """
    loan = store.get(work, command.loan_id)
    if loan is None:
        return False
    present = current_loan(work, loan)
    overdue = _fine(work, present, command.on)
    if not is_long_overdue(present.loan, overdue):
        return False
    try:
        _lose(work, present, overdue, command)
    except PriceUnknown:
        log.warning("loss needs a price", loan_id=loan.id)
        return False
    return True


def _fine(work: Work, present: CurrentLoan, on: date) -> Statement:
    """Return the fine so far of a current loan, as if no claim had been made that it is back."""
    unclaimed = replace(to_bill(work, present.loan), claimed_returned_on=None)
    return fine(unclaimed, present.calendar, calendars_store.all_suspensions(work), on)


def _lose(work: Work, present: CurrentLoan, overdue: Statement, command: DeclareLost) -> Loss:
    loan = present.loan
    lost = loan_rules.lose(loan, command.on, overdue)
    copy = catalogue_store.copies_with(work, [loan.barcode])[loan.barcode]
    price = copy.price_cents if command.price_cents is None else command.price_cents
    if price is None:
        raise PriceUnknown
    billed = to_bill(work, loan)
    late = assess(new_id(), billed, overdue, command.on, late_times(billed, command.on, None))
    charges = (
        *((late,) if late else ()),
        *loss_charges(new_id(), new_id(), loan, price, command.on),
    )
    borrower = borrowers_store.borrower(work, loan.patron_id)
    post(work, borrower, [assessed(charge, work.now) for charge in charges], loans=-1)
    catalogue_store.save_copies(work, [copy_rules.lose(copy)])
    save_change(work, present, lost)
    charged = any(charge.kind is ChargeKind.LOST for charge in charges)
    work.record(events.lost(lost, on=command.on, declared_by=command.declared_by, charged=charged))
    return Loss(lost, charges, overdue)


def claim_returned(work: Work, loan_id: str, patron_id: str | None, on: date, today: date) -> Loan:
    """Record the claim that a loan came back on `on`; a repeated claim changes nothing.

    `patron_id` is the patron who claims it; None: staff.

    Announcements are applied to the loan first, so that the day of the claim is compared with the
    due date in force.

    Raises InTheFuture, NoSuchLoan, LoanNotOpen, LoanLost or ReturnedBeforeBorrowed.
    """
    if on > today:
        raise InTheFuture(on=on)
    loan = store.get(work, loan_id)
    if loan is None or patron_id not in (None, loan.patron_id):
        raise NoSuchLoan
    present = current_loan(work, loan)
    claimed = loan_rules.claim_returned(present.loan, on)
    if claimed is present.loan:
        return loan
    save_change(work, present, claimed)
    work.record(events.claimed(claimed))
    return claimed


def reject_claim(work: Work, loan_id: str) -> Loan:
    """Reject the claim; the loan's fine is counted again.

    Raises NoSuchLoan, LoanNotOpen, LoanLost or NoClaim.
    """
    loan = or_refuse(store.get(work, loan_id), NoSuchLoan)
    rejected = loan_rules.reject_claim(loan)
    store.save(work, [rejected])
    work.record(events.claimed(rejected))
    return rejected
