"""Notice that a loan is overdue, on set days after its due date, once for each."""

from dataclasses import dataclass
from datetime import date

from services.circulation import store
from services.circulation.domain import loan as rules
from services.circulation.usecases.tell_of_loan import snapshot, tell_moves
from shared.contracts.circulation import LoanOverdue
from shared.unit_of_work import Work


@dataclass(frozen=True)
class NoticeOverdue:
    """Command to give a loan the overdue notice that is due on `on`.

    `days` are the days after the due date on which notices are given.
    """

    loan_id: str
    on: date
    days: tuple[int, ...]


async def notice_overdue(work: Work, command: NoticeOverdue) -> bool:
    """Give the overdue notice that is due, if any; return whether one was given.

    Of two calls at the same time, one returns True.
    """
    loan = await store.loans.get(work, command.loan_id)
    if loan is None:
        return False
    calendar = await store.calendars.get(work, loan.branch_code)
    if calendar is None:
        return False
    moved = rules.catch_up(loan, calendar)
    loan = moved[-1] if moved else loan
    await store.loans.save(work, moved)
    tell_moves(work, moved)
    number = rules.overdue_notice(loan, calendar.now, command.on, command.days)
    if number is None:
        return False
    noticed = rules.notice_overdue(loan, on=command.on, number=number)
    await store.loans.save(work, [noticed])
    work.record(LoanOverdue(**snapshot(noticed), overdue_on=command.on, notice=number))
    return True
