"""Notice that a loan is overdue: first, and again on set days, each once for each due date."""

from dataclasses import dataclass
from datetime import date

from services.circulation import store
from services.circulation.domain import loan as rules
from services.circulation.usecases.tell_of_loan import snapshot, tell_moves
from shared.contracts.circulation import LoanOverdue
from shared.unit_of_work import Work


@dataclass(frozen=True)
class NoticeOverdue:
    """Which loan, the day that is looked at, and the days on which notices are given."""

    loan_id: str
    on: date
    days: tuple[int, ...]


async def notice_overdue(work: Work, command: NoticeOverdue) -> bool:
    """Whether a notice was due by the rule and not given before; of two at once one is told so."""
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
