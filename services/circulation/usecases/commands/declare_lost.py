"""Declare a loan lost: assess its fine so far, and charge for its copy."""

from dataclasses import dataclass
from datetime import date
from typing import Literal

import structlog

from services.circulation import store
from services.circulation.domain import copy as copies
from services.circulation.domain import loan as rules
from services.circulation.domain.charge import Charge, assess, loss_charges
from services.circulation.domain.fines import Statement
from services.circulation.domain.ledger import assessed
from services.circulation.domain.loan import Loan, catch_up, fine, is_given_up
from services.circulation.domain.refusals import NoSuchLoan, PriceUnknown
from services.circulation.usecases.post_to_ledger import post
from services.circulation.usecases.tell_of_loan import snapshot, tell_moves
from shared.contracts.circulation import LoanLost
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


async def declare_lost(work: Work, command: DeclareLost) -> Loss:
    """Declare the loan lost.

    Raises NoSuchLoan (also for another patron's loan), LoanNotOpen, LoanLost or PriceUnknown.
    """
    loan = await store.loans.get(work, command.loan_id)
    if loan is None or command.patron_id not in (None, loan.patron_id):
        raise NoSuchLoan
    moved, overdue = await _today(work, loan, command.on)
    return await _lose(work, loan, moved, overdue, command)


async def give_up(work: Work, command: DeclareLost) -> bool:
    """Declare the loan lost if the rule says so on that day; return whether it did.

    A loan whose copy has no known price is left for the staff to declare lost.
    """
    loan = await store.loans.get(work, command.loan_id)
    if loan is None:
        return False
    moved, overdue = await _today(work, loan, command.on)
    if not is_given_up(moved[-1] if moved else loan, overdue):
        return False
    try:
        await _lose(work, loan, moved, overdue, command)
    except PriceUnknown:
        log.warning("loss needs a price", loan_id=loan.id)
        return False
    return True


async def _today(work: Work, loan: Loan, on: date) -> tuple[tuple[Loan, ...], Statement]:
    """Return the moves of its due date that are still to be made, and its fine after them."""
    calendar = await store.calendars.get(work, loan.branch_code)
    if calendar is None:
        raise NoSuchLoan
    moved = catch_up(loan, calendar)
    suspensions = await store.suspensions.every(work)
    return moved, fine(moved[-1] if moved else loan, calendar.now, suspensions, on)


async def _lose(
    work: Work, loan: Loan, moved: tuple[Loan, ...], overdue: Statement, command: DeclareLost
) -> Loss:
    loan = moved[-1] if moved else loan
    lost = rules.lose(loan, command.on, overdue)
    copy = (await store.titles.copies_with(work, [loan.barcode]))[loan.barcode]
    price = copy.price_cents if command.price_cents is None else command.price_cents
    if price is None:
        raise PriceUnknown
    late = assess(new_id(), loan, overdue, command.on)
    charges = (
        *((late,) if late else ()),
        *loss_charges(new_id(), new_id(), loan, price, command.on),
    )
    borrower = await store.patrons.borrower(work, loan.patron_id)
    await post(work, borrower, [assessed(charge, work.now) for charge in charges], loans=-1)
    await store.titles.save_copies(work, [copies.lose(copy)])
    await store.loans.save(work, [*moved, lost])
    tell_moves(work, moved)
    work.record(LoanLost(**snapshot(lost), lost_on=command.on, declared_by=command.declared_by))
    return Loss(lost, charges, overdue)
