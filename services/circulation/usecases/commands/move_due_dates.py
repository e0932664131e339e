"""Move the due dates of open loans as their branches' announcements require."""

from dataclasses import dataclass
from itertools import chain

from services.circulation import store
from services.circulation.usecases.steps.current_loan import current_loans, record_moves
from shared.unit_of_work import Work


@dataclass(frozen=True)
class MoveDueDates:
    """Command to move the due dates of some loans: few, because they share one transaction."""

    loan_ids: tuple[str, ...]


def move_due_dates(work: Work, command: MoveDueDates) -> int:
    """Move the due dates; return how many loans moved.

    Each move is published. A loan that has moved already is left unchanged.
    """
    loans = current_loans(work, store.loans.some(work, command.loan_ids))
    moved = [known.moves for known in loans.values() if known.moves]
    store.loans.save(work, chain.from_iterable(moved))
    for moves in moved:
        record_moves(work, moves)
    return len(moved)
