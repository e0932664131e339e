"""Move the due dates of open loans as their branches' announcements require."""

from dataclasses import dataclass
from itertools import chain

from services.circulation import store
from services.circulation.domain.loan import catch_up
from services.circulation.usecases.tell_of_loan import tell_moves
from shared.unit_of_work import Work


@dataclass(frozen=True)
class MoveDueDates:
    """Command to move the due dates of some loans: few, because they share one transaction."""

    loan_ids: tuple[str, ...]


async def move_due_dates(work: Work, command: MoveDueDates) -> int:
    """Move the due dates; return how many loans moved.

    Each move is published. A loan that has moved already is left unchanged.
    """
    loans = await store.loans.some(work, command.loan_ids)
    calendars = await store.calendars.some(work, {loan.branch_code for loan in loans})
    moves = [steps for loan in loans if (steps := catch_up(loan, calendars[loan.branch_code]))]
    await store.loans.save(work, chain.from_iterable(moves))
    for steps in moves:
        tell_moves(work, steps)
    return len(moves)
