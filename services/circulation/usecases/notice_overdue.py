"""Notice that a loan is overdue, once for each due date."""

from dataclasses import dataclass
from datetime import date

from services.circulation import store
from services.circulation.domain import loan as rules
from services.circulation.usecases.tell_of_loan import snapshot, tell_moves
from shared.contracts.circulation import LoanOverdue
from shared.unit_of_work import Work


@dataclass(frozen=True)
class NoticeOverdue:
    """Which loan, and the day that is looked at."""

    loan_id: str
    on: date


async def notice_overdue(work: Work, command: NoticeOverdue) -> bool:
    """Whether it was overdue by the rule and not noticed before; of two at once one is told so."""
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
    if loan.overdue_noticed_on or not rules.is_overdue(loan, calendar.now, command.on):
        return False
    noticed = rules.notice_overdue(loan, on=command.on)
    await store.loans.save(work, [noticed])
    work.record(LoanOverdue(**snapshot(noticed), overdue_on=command.on))
    return True
