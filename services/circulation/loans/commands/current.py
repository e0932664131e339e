"""Bring a loan up to date with its branch before a command decides about it."""

from collections.abc import Iterable, Mapping

from services.circulation.calendars import store as calendars_store
from services.circulation.loans import events
from services.circulation.loans.store import loans as store
from services.circulation.rules.due_date import CurrentLoan, current
from services.circulation.rules.loan import Loan
from shared.unit_of_work import Work


def current_loan(work: Work, loan: Loan) -> CurrentLoan:
    """Return the loan with the announcements that no sweep has applied to it yet.

    Nothing is saved: a command that changes the loan saves its moves with the change.
    """
    return current_loans(work, [loan])[loan.id]


def current_loans(work: Work, loans: Iterable[Loan]) -> Mapping[str, CurrentLoan]:
    """Return the result of `current_loan` for some loans, keyed by loan id, in one read."""
    loans = list(loans)
    calendars = calendars_store.some(work, {loan.branch_code for loan in loans})
    return {loan.id: current(loan, calendars[loan.branch_code]) for loan in loans}


def save_change(work: Work, present: CurrentLoan, changed: Loan) -> None:
    """Save a current loan after a change, and save and publish its moves."""
    store.save(work, [*present.moves, changed])
    record_moves(work, present.moves)


def save_moves(work: Work, present: CurrentLoan) -> None:
    """Save and publish the moves of a current loan that does not change otherwise."""
    store.save(work, present.moves)
    record_moves(work, present.moves)


def record_moves(work: Work, moves: Iterable[Loan]) -> None:
    """Publish each move of a loan's due date."""
    for moved in moves:
        work.record(events.due_date_changed(moved))
