"""Notice that a loan is due soon, once for each due date."""

from dataclasses import dataclass
from datetime import date

from services.circulation import store
from services.circulation.domain import loan as rules
from services.circulation.usecases.tell_of_loan import snapshot, tell_moves
from shared.contracts.circulation import LoanDueSoon
from shared.unit_of_work import Work


@dataclass(frozen=True)
class NoticeDueSoon:
    """Command to notice a loan if it is due within `days` days from `on`."""

    loan_id: str
    on: date
    days: int


async def notice_due_soon(work: Work, command: NoticeDueSoon) -> bool:
    """Notice the loan if it is due soon and was not noticed yet; return whether it was noticed now.

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
    if not rules.is_due_soon(loan, calendar.now, command.on, command.days):
        return False
    noticed = rules.notice_due_soon(loan, on=command.on)
    await store.loans.save(work, [noticed])
    work.record(LoanDueSoon(**snapshot(noticed), noticed_on=command.on))
    return True
